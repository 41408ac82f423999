"""The demo is the main job on a phantom: same files, and a table with the truth beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import pytest

from strokediff.phantom import make

Run = Callable[..., int]


def test_demo(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = make.make_phantom
    monkeypatch.setattr(
        make, "make_phantom", lambda kind, seed: whole(kind, seed, matrix=96, thickness_mm=10.0)
    )
    out = tmp_path / "demo [red]"
    (out / "phantom-patient").mkdir(parents=True)
    (out / "phantom-patient" / "CT_0999.dcm").write_text("of an earlier, taller phantom")
    assert run("demo", "-o", out, "--quiet", "--seed", 3) == 0
    assert {p.name for p in out.iterdir()} == {
        "phantom-patient",
        "ct.nii.gz",
        "lesion_mask.nii.gz",
        "lesion_prob.nii.gz",
        "result.json",
        "preview.png",
        "report.html",
        "viewer.html",
    }
    shown = capsys.readouterr().out
    for line in ("lesion volume found", "true volume", "Dice", "seconds", "research use only"):
        assert line in shown
    assert f"Look at {out}/viewer.html and {out}/report.html." in shown
    assert not (out / "phantom-patient" / "CT_0999.dcm").exists()
    report = json.loads((out / "result.json").read_text())
    assert report["input"]["kind"] == "dicom"
    truth = whole("hemorrhage", 3, matrix=96, thickness_mm=10.0)
    mask = nib.as_closest_canonical(nib.load(out / "lesion_mask.nii.gz")).get_fdata() > 0
    dice = 2 * (mask & truth.lesion).sum() / (mask.sum() + truth.lesion.sum())
    assert dice > 0.5 and re.search(rf"Dice\s+. {dice:.3f} ", shown), shown


def test_an_unknown_kind_is_code_2(run: Run, tmp_path: Path) -> None:
    assert run("demo", "-o", tmp_path / "demo", "--kind", "tumour") == 2


def test_a_folder_of_somebody_else_is_not_replaced(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make, "make_phantom", lambda kind, seed: None)
    (tmp_path / "phantom-patient").mkdir()
    (tmp_path / "phantom-patient" / "mine.dcm").write_text("mine")
    assert run("demo", "-o", tmp_path, "--quiet") == 2
    assert "mine.dcm" in capsys.readouterr().err
    assert (tmp_path / "phantom-patient" / "mine.dcm").read_text() == "mine"
