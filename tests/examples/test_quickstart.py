"""Law: the example runs as it stands, with a scan and without one."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

import strokediff as sd

SCRIPT = Path(__file__).parents[2] / "examples" / "quickstart.py"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.fixture(scope="module")
def phantom() -> sd.Phantom:
    return sd.make_phantom("hemorrhage", seed=0, matrix=128, thickness_mm=8.0)


def test_with_a_scan(
    phantom: sd.Phantom,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ct = sd.CT(phantom.hu, phantom.affine)
    scan = sd.save_like(ct, ct.hu, tmp_path / "scan.nii.gz", dtype="int16", description="phantom")
    run(monkeypatch, scan, "-o", tmp_path / "out", "--method", "avg")
    said = capsys.readouterr().out
    record = sd.Record.model_validate(json.loads((tmp_path / "out" / "result.json").read_text()))
    assert f"lesion: {record.volume_ml:.1f} mL" in said and "true volume" not in said
    assert record.case == "out" and record.method == "avg" and record.input.path == "scan.nii.gz"


def test_without_one_it_makes_a_phantom_and_scores_it(
    phantom: sd.Phantom,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A coarser one than the script's, which takes long."""
    monkeypatch.setattr(sd, "make_phantom", lambda kind, seed: phantom)
    run(monkeypatch, "-o", tmp_path / "out", "--method", "avg")
    said = capsys.readouterr().out
    assert "true volume" in said and float(said.rpartition("Dice ")[2]) > 0.5
