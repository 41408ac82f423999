"""Laws: what a cut marks, how fine a label is, what the filter of lone pixels takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strokediff.benchmark.reports.cuts import cut_curves, expected
from strokediff.benchmark.reports.labels import fineness
from strokediff.benchmark.reports.lone_pixels import lone_pixels, without_lone
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


def test_the_filter_takes_lone_pixels_only() -> None:
    mask = np.zeros((2, 20, 20), bool)
    mask[0, 3, 3] = mask[0, 12:15, 12:15] = True
    kept = without_lone(mask)
    assert kept.sum() == 9 and not kept[0, 3, 3]


def test_a_folder_without_predictions_is_named(tmp_path: Path) -> None:
    for report in (cut_curves, lone_pixels):
        with pytest.raises(InputError, match="no predictions"):
            report(tmp_path)
