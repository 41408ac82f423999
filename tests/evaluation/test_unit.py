"""Laws: without spacing, distances and volumes do not depend on the nominal millimetres."""

import csv
import json

import numpy as np
import pytest

from strokediff.evaluation.metrics import evaluate_case
from strokediff.evaluation.summary import summarize
from strokediff.evaluation.tables import format_csv, format_json
from strokediff.evaluation.unit import Unit, in_plane_pixel_mm

AFFINE = np.diag([-0.5, -0.5, 5.0, 1.0])
TRUE = np.zeros((12, 12, 6), dtype=bool)
TRUE[2:6, 2:6, 1:3] = True


def score(pred, affine=AFFINE, unit=Unit.PX):
    return evaluate_case("p", mask_pred=pred, mask_true=TRUE, affine=affine, unit=unit)


def test_in_the_plane_a_step_is_one_pixel():
    assert score(np.roll(TRUE, 3, axis=0)).hd_mm == pytest.approx(3.0)
    assert score(np.roll(TRUE, 3, axis=0), unit=Unit.MM).hd_mm == pytest.approx(1.5)


def test_between_slices_a_step_is_the_nominal_ratio():
    assert score(np.roll(TRUE, 1, axis=2)).hd_mm == pytest.approx(5.0 / 0.5)


def test_volumes_are_counts():
    row = score(TRUE[:, :, ::-1])
    assert (row.volume_pred_ml, row.volume_true_ml) == (32.0, 32.0)


def test_the_nominal_field_of_view_does_not_matter():
    one, other = score(np.roll(TRUE, 2, axis=1)), score(np.roll(TRUE, 2, axis=1), AFFINE * 0.7)
    assert one.hd_mm == pytest.approx(other.hd_mm)
    assert one.volume_pred_ml == other.volume_pred_ml


def test_the_slices_axis_is_found_wherever_it_is_stored():
    turned = np.zeros((4, 4))
    turned[2, 0], turned[0, 1], turned[1, 2], turned[3, 3] = 5.0, 0.4, 0.4, 1.0
    assert in_plane_pixel_mm(turned) == pytest.approx(0.4)


def test_every_column_is_named_in_pixels():
    rows = [score(TRUE), score(np.roll(TRUE, 3, axis=0))]
    text = format_csv(rows)
    assert "_mm" not in text and "_ml" not in text
    row = list(csv.DictReader(text.splitlines()))[1]
    assert float(row["hd_px"]) == pytest.approx(3.0) and float(row["volume_true_px"]) == 32
    summary = summarize(rows)
    record = json.loads(format_json(summary))
    assert record["unit"] == "px" and record["mean"]["hd_px"] == pytest.approx(1.5)
    assert "hd_mm" not in json.dumps(record)
    assert any("Spacing is unknown" in line for line in record["policy"])


def test_millimetres_and_pixels_have_no_mean():
    with pytest.raises(ValueError, match="no common mean"):
        summarize([score(TRUE), score(TRUE, unit=Unit.MM)])
