"""`segment` with a model of two kinds: each in the line, the table, the page and the files."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pytest
import two_kinds

from strokediff.result.schema import json_schema

Run = Callable[..., int]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model; it says what it does on real patients."""
    folder = tmp_path_factory.mktemp("two") / "model"
    return two_kinds.checkpoint(folder, card={"haemorrhage": "Dice 0.6 on 62 patients."})


def test_a_patient(
    run: Run, scan: Path, both: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    args = ["--model", both, "--method", "sal", "--device", "cpu", "--max-evaluations", 8]
    assert run("segment", scan, "-o", out, *args) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, json_schema())
    for own in result["kinds"]:
        assert f"{own['name']} {own['volume_ml']:.1f} mL (" in said
    labels = np.asarray(nib.load(out / "lesion_mask.nii.gz").dataobj)
    assert {own["n_lesions"] > 0 for own in result["kinds"]} >= {True}
    assert set(np.unique(labels)) - {0} == {
        k + 1 for k, own in enumerate(result["kinds"]) if own["volume_ml"]
    }
    page = (out / "report.html").read_text()
    assert "Dice 0.6 on 62 patients." in page and "<dt>Haemorrhage</dt>" in page
    assert ("Trust: ok." in page) == result["trust"]["ok"]
    assert ("do not rely on it" in said) != result["trust"]["ok"]


def test_a_folder_of_patients_has_columns_for_each_kind(
    run: Run, scan: Path, both: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "in").mkdir(exist_ok=True)
        shutil.copy(scan, tmp_path / "in" / f"{name}.nii.gz")
    (tmp_path / "in" / "c.nii.gz").write_text("damaged")
    args = ["--model", both, "--method", "avg", "--device", "cpu", "--no-preview", "--quiet"]
    assert run("segment", tmp_path / "in", "-o", tmp_path / "out", *args) == 4
    with (tmp_path / "out" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    result = json.loads((tmp_path / "out" / "a" / "result.json").read_text())
    for own in result["kinds"]:
        assert float(rows[0][f"{own['name']}_volume_ml"]) == pytest.approx(
            own["volume_ml"], rel=1e-5
        )
        assert rows[0][f"{own['name']}_n_lesions"] == str(own["n_lesions"])
        assert rows[2][f"{own['name']}_volume_ml"] == ""
    assert rows[0]["trust"] and rows[2]["trust"] == ""
