"""Laws: what `segment` wrote is never input, wherever it lies and whatever its folder is called."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_factory import head, write_series

from strokediff.ct.discovery.discover import discover
from strokediff.errors import InputError

HU = head(6)


def nifti(path: Path, description: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(HU.transpose(2, 1, 0), np.diag([0.7, 0.9, 5, 1]))
    image.header["descrip"] = description
    nib.save(image, path)
    return path


def result(folder: Path, kind: str = "dicom", summary: bool = False) -> Path:
    """As after `segment`, with every file it may write."""
    for name in ("mask", "prob", "entropy", "variance"):
        nifti(folder / f"lesion_{name}.nii.gz", "strokediff 0.1.0")
    if kind == "dicom":
        nifti(folder / "ct.nii.gz", "resampled; strokediff 0.1.0")
    (folder / "preview.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "report.html").write_text("<html>")
    content = {"research_use_only": True, "version": "0.1.0", "volume_ml": 1.0}
    (folder / "result.json").write_text(json.dumps(content | {"input": {"kind": kind}}))
    if summary:
        (folder / "summary.csv").write_text("case,volume_ml,volume_low_ml\n")
    (folder / ".unfinished-1.safetensors").touch()
    return folder


def inside(root: Path) -> Path:
    return result(root / "out")


def beside_the_scan(root: Path) -> Path:
    return result(root)


def renamed(root: Path) -> Path:
    return result(root / "patient_1" / "2024-01-02 final")


def folders_of_a_run(root: Path) -> Path:
    out = root / "results"
    for name in ("p1", "p2"):
        result(out / name)
    (out / "p3").mkdir()
    (out / ".writing-x").mkdir()
    (out / "summary.csv").write_text("case,volume_ml,volume_low_ml\n")
    return out


def without_its_json(root: Path) -> Path:
    out = result(root / "killed")
    (out / "result.json").unlink()
    return out


def in_use(root: Path) -> Path:
    """An output folder that is still empty."""
    (root / "new").mkdir()
    return root / "new"


PLACES = [inside, beside_the_scan, renamed, folders_of_a_run, without_its_json, in_use]


@pytest.mark.parametrize("made", ["dicom", "nifti"])
@pytest.mark.parametrize("place", PLACES)
def test_results_inside_the_input_are_not_input(
    tmp_path: Path, place: Callable[[Path], Path], made: str
) -> None:
    root = tmp_path / "in"
    if made == "dicom":
        write_series(root / "patient_1", hu=HU)
    else:
        nifti(root / "patient_1" / "scan.nii.gz")
    expected = discover(root)
    out = place(root)
    found = discover(root, out=out)
    assert [c.files or c.path for c in found.cases] == [c.files or c.path for c in expected.cases]
    assert not found.left_out and not found.ignored and len(found.cases) == 1
    if place is not in_use:  # known without being told, too
        assert discover(root) == found


def test_a_scan_called_ct_beside_its_own_result_stays_input(tmp_path: Path) -> None:
    nifti(tmp_path / "ct.nii.gz")
    result(tmp_path, kind="nifti")
    (case,) = discover(tmp_path).cases
    assert case.path == tmp_path / "ct.nii.gz"


def test_a_ct_that_was_taken_out_of_a_result_is_a_scan(tmp_path: Path) -> None:
    made = result(tmp_path / "out")
    shutil.move(made / "ct.nii.gz", tmp_path / "scans.nii.gz")
    assert [c.name for c in discover(tmp_path).cases] == ["scans"]


@pytest.mark.parametrize("content", ["{}", "[1]", '{"version": "2"}', "{", '{"volume_ml": 3}'])
def test_another_programs_result_json_hides_nothing(tmp_path: Path, content: str) -> None:
    nifti(tmp_path / "p1" / "ct.nii.gz")
    (tmp_path / "p1" / "result.json").write_text(content)
    (tmp_path / "p1" / "summary.csv").write_text("patient,age\n")
    assert [c.name for c in discover(tmp_path).cases] == ["p1_ct"]


def test_a_folder_of_results_alone_is_said_to_be_one(tmp_path: Path) -> None:
    result(tmp_path / "a")
    with pytest.raises(InputError, match="holds only results of strokediff segment"):
        discover(tmp_path)
