"""The demo is the main job on a phantom: same files, and a table with the truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from strokediff.data.phantom import make

Run = Callable[..., int]


def test_demo(
    run: Run,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = make.make_phantom
    monkeypatch.setattr(
        make, "make_phantom", lambda kind, seed: whole(kind, seed, matrix=96, thickness_mm=10.0)
    )
    out = tmp_path / "demo"
    assert run("demo", "-o", out, "--model", checkpoint, "--quiet", "--seed", 3) == 0
    assert {p.name for p in out.iterdir()} == {
        "phantom-patient",
        "ct.nii.gz",
        "lesion_mask.nii.gz",
        "lesion_prob.nii.gz",
        "result.json",
        "preview.png",
        "report.html",
    }
    shown = capsys.readouterr().out
    for line in ("lesion volume found", "true volume", "Dice", "seconds", "research use only"):
        assert line in shown
    report = json.loads((out / "result.json").read_text())
    assert report["input"]["kind"] == "dicom"


def test_an_unknown_kind_is_code_2(run: Run, tmp_path: Path) -> None:
    assert run("demo", "-o", tmp_path / "demo", "--kind", "tumour") == 2
