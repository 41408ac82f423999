"""Laws: the CSV has exactly the stated columns; what does not exist is empty, never NaN."""

import csv
import json

import numpy as np
import pytest

from strokediff import __version__
from strokediff.errors import UsageError
from strokediff.evaluation.metrics import evaluate_case
from strokediff.evaluation.summary import summarize
from strokediff.evaluation.tables import write_metrics

MASK = np.zeros((5, 5, 5), dtype=bool)
MASK[1:3] = True


def rows():
    kwargs = {"affine": np.eye(4)}
    return [
        evaluate_case("a,b", mask_pred=MASK, mask_true=MASK, **kwargs),
        evaluate_case("none", mask_pred=MASK, mask_true=MASK & False, **kwargs),
    ]


def test_columns_and_cells(tmp_path):
    path_json = write_metrics(tmp_path / "new" / "metrics.csv", rows(), summarize(rows()))
    text = (tmp_path / "new" / "metrics.csv").read_text()
    assert text.splitlines()[0] == (
        "case,dice,iou,recall,precision,auc,hd_mm,hd95_mm,volume_pred_ml,volume_true_ml,vdp"
    )
    first, second = csv.DictReader(text.splitlines())
    assert first["case"] == "a,b" and float(first["volume_pred_ml"]) == pytest.approx(0.05)
    assert second["vdp"] == second["auc"] == ""
    assert "nan" not in text.lower()
    assert path_json == tmp_path / "new" / "metrics.json"
    record = json.loads(path_json.read_text())
    assert record["version"] == __version__
    assert (record["n_cases"], record["truth_empty"], record["vdp_excluded"]) == (2, 1, 1)
    assert record["mean"]["dice"] == pytest.approx(0.5) and record["mean"]["auc"] is None
    assert record["vc"] is None and "equal" in record["vc_note"]
    assert record["policy"]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["metrics.csv", "metrics.json"]


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/metrics\.csv: cannot be written"):
        write_metrics(tmp_path / "file" / "metrics.csv", rows(), summarize(rows()))
