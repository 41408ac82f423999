"""Law: from a public layout to nnU-Net's and back through evaluate, nothing is lost or moved."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import layout_factory as make
import pytest

pytest.importorskip("zarr")
Run = Callable[..., int]


@pytest.mark.parametrize(
    ("layout", "unit", "volume"), [("phe-sich", "px", 240), ("nnunet", "ml", 6.912)]
)
def test_import_prepare_export_evaluate(
    run: Run,
    tmp_path: Path,
    layout: str,
    unit: str,
    volume: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The truth as the prediction: Dice 1, distance 0, in pixels where spacing is unknown."""
    build = {"phe-sich": lambda p: make.phe_sich(p, patients=4), "nnunet": make.nnunet}[layout]
    scans, cohort, raw = tmp_path / "scans", tmp_path / "cohort", tmp_path / "raw"
    assert run("import", layout, build(tmp_path / "src"), scans) == 0
    assert run("prepare", scans, cohort, "--test", 0.25, "--val", 0.25, "-j", 1, "--quiet") == 0
    assert run("export", "nnunet", scans, raw, "--cohort", cohort, "--id", 7, "--name", "X") == 0
    assert "2 train and 1 val in imagesTr, 1 test in imagesTs" in capsys.readouterr().out
    split = json.loads((cohort / "cohort.json").read_text())["split"]
    folds = json.loads((raw / "Dataset007_X" / "splits_final.json").read_text())
    assert folds == [{"train": split["train"], "val": split["val"]}]
    truth, table = raw / "Dataset007_X" / "labelsTs", tmp_path / "metrics.csv"
    assert run("evaluate", truth, truth, "-o", table, "--quiet") == 0
    rows = csv.DictReader(table.read_text().splitlines())
    (row,) = (own for own in rows if own.get("kind", "lesion") == "lesion")
    assert row["case"] == split["test"][0] and float(row["dice"]) == 1
    assert float(row[f"volume_true_{unit}"]) == pytest.approx(volume)
    assert float(row["hd_px" if unit == "px" else "hd_mm"]) == 0


def test_an_exported_set_imports_again(run: Run, tmp_path: Path) -> None:
    scans, cohort, raw = tmp_path / "scans", tmp_path / "cohort", tmp_path / "raw"
    assert run("import", "nnunet", make.nnunet(tmp_path / "src"), scans, "--quiet") == 0
    assert run("prepare", scans, cohort, "-j", 1, "--quiet") == 0
    assert run("export", "nnunet", scans, raw, "--cohort", cohort, "--quiet") == 0
    again = tmp_path / "again"
    assert run("import", "nnunet", raw / "Dataset501_StrokeDiff", again, "--quiet") == 0
    first, second = (json.loads((d / "cohort.json").read_text()) for d in (scans, again))
    assert first["declared_split"] == second["declared_split"]
    for part in ("images", "labels"):
        assert sorted(p.name for p in (scans / part).iterdir()) == sorted(
            p.name for p in (again / part).iterdir()
        )


def test_a_folder_that_is_no_cohort_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("export", "nnunet", tmp_path, tmp_path / "raw", "--cohort", tmp_path) == 3
