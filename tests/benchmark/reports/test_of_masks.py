"""Laws: what a cut marks, and how fine a label is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strokediff.benchmark.reports.cuts import cut_curves, expected
from strokediff.benchmark.reports.labels import fineness
from strokediff.errors import InputError


def test_the_expected_volume_is_marked_where_it_is_likeliest() -> None:
    prob = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32) ** 4
    mask = expected(prob)
    assert mask.sum() == round(float(prob.sum()))
    assert prob[mask].min() >= prob[~mask].max()


@pytest.mark.parametrize("side", [1, 2, 6])
def test_a_square_set_against_itself(side: int) -> None:
    y = np.zeros((3, 16, 16), bool)
    y[1, 4 : 4 + side, 5 : 5 + side] = True
    found, area = fineness(y), side * side
    grown, shrunk = area + 4 * side, max(0, side - 2) ** 2
    assert found["width, pixels"] == side
    assert found["share of pixels where it is one or two wide"] == (side <= 2)
    assert found["Dice, shifted by a pixel"] == pytest.approx((side - 1) / side)
    assert found["Dice, grown by a pixel"] == pytest.approx(2 * area / (area + grown))
    assert found["Dice, shrunk by a pixel"] == pytest.approx(2 * shrunk / (area + shrunk))


def test_a_folder_without_predictions_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no predictions"):
        cut_curves(tmp_path)
