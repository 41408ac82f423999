"""Laws: the CSV has exactly the stated columns; what does not exist is empty, never NaN."""

import csv
import json

import numpy as np
import pytest

from strokediff.evaluation.metrics import evaluate_case
from strokediff.evaluation.summary import summarize
from strokediff.evaluation.tables import format_csv, format_json
from strokediff.version import __version__

MASK = np.zeros((5, 5, 5), dtype=bool)
MASK[1:3] = True


def rows():
    kwargs = {"affine": np.eye(4)}
    return [
        evaluate_case("a,b", mask_pred=MASK, mask_true=MASK, **kwargs),
        evaluate_case("none", mask_pred=MASK, mask_true=MASK & False, **kwargs),
    ]


def test_columns_and_cells():
    text = format_csv(rows())
    assert text.splitlines()[0] == (
        "case,dice,iou,recall,precision,auc,hd_mm,hd95_mm,volume_pred_ml,volume_true_ml,vdp,"
        "auc_mask"
    )
    first, second = csv.DictReader(text.splitlines())
    assert first["case"] == "a,b" and float(first["volume_pred_ml"]) == pytest.approx(0.05)
    assert second["vdp"] == second["auc"] == second["auc_mask"] == ""
    assert float(first["auc_mask"]) == 1
    assert "nan" not in text.lower()


def test_the_summary_has_counts_means_and_the_policy():
    record = json.loads(format_json(summarize(rows())))
    assert record["version"] == __version__
    assert (record["n_cases"], record["truth_empty"], record["vdp_excluded"]) == (2, 1, 1)
    assert record["mean"]["dice"] == pytest.approx(0.5) and record["mean"]["auc"] is None
    assert record["vc"] is None and "equal" in record["vc_note"]
    assert (record["auc_excluded"], record["auc_mask_excluded"]) == (2, 1)
    assert "Both AUC are over all voxels of the image" in " ".join(record["policy"])


def test_the_summary_says_where_both_auc_are_over_a_region():
    record = json.loads(format_json(summarize(rows(), within=True)))
    assert record["within"] is True
    assert "Both AUC are over the given region" in " ".join(record["policy"])
    assert "all voxels" not in " ".join(record["policy"])


@pytest.mark.parametrize("case", ["=1+cmd|' /C calc'!A0", "@SUM(A1)", "+1", "-1", "\t=A1", "\r=A1"])
def test_a_name_is_never_a_formula(case):
    """Of text alone: numbers stay numbers."""
    row = evaluate_case(case, mask_pred=MASK & False, mask_true=MASK, affine=np.eye(4))
    (read,) = csv.DictReader(format_csv([row]).splitlines())
    assert read["case"].startswith("'") and read["case"][1:].strip() == case.strip()
    assert float(read["hd_mm"]) == pytest.approx(row.hd_mm) and float(read["vdp"]) == row.vdp
