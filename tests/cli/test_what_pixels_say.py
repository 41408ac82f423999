"""Law: what the head itself gainsays is a warning in result.json; volumes are of the right mm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from strokediff.phantom.make import Phantom


def saved(path: Path, hu: np.ndarray, affine: np.ndarray, pixdim: np.ndarray) -> Path:
    """With an sform of `affine` and the voxel size `pixdim`, no qform."""
    image = nib.Nifti1Image(hu.astype(np.int16), affine)
    image.set_qform(affine, 0)
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[80:92] = np.asarray(pixdim, "<f4").tobytes()
    raw[252:256] = np.array([0, 2], "<i2").tobytes()
    path.write_bytes(bytes(raw))
    return path


@pytest.fixture
def result(run, checkpoint: Path, tmp_path: Path):
    def call(scan: Path) -> dict[str, Any]:
        out = tmp_path / f"out-{scan.name}"
        options = ("--model", checkpoint, "--method", "avg", "--no-preview", "--device", "cpu")
        assert run("segment", scan, "-o", out, *options) == 0
        return json.loads((out / "result.json").read_text())

    return call


def test_wrong_spacing_stored_values_and_contrast_are_told(
    result, patient: Phantom, tmp_path: Path
) -> None:
    true = np.linalg.norm(patient.affine[:3, :3], axis=0)
    cubes = np.diag([1.0, 1.0, 1.0, 1.0])
    right = result(saved(tmp_path / "right.nii", patient.hu, patient.affine, true))
    assert right["volume_ml"] == right["mask_file_volume_ml"] > 0
    assert not [w for w in right["warnings"] if "contrast" in w or "human" in w or "HU" in w]

    conflict = result(saved(tmp_path / "conflict.nii", patient.hu, cubes, true))
    assert conflict["volume_ml"] == pytest.approx(right["volume_ml"], rel=1e-3)
    assert any("contradicts itself" in w for w in conflict["warnings"])

    # Both are wrong: nothing says what is right.
    wrong = result(saved(tmp_path / "wrong.nii", patient.hu, cubes, np.ones(3)))
    assert any("no human head" in w and "every volume" in w for w in wrong["warnings"])

    stored = result(saved(tmp_path / "stored.nii", patient.hu + 1024, patient.affine, true))
    assert stored["volume_ml"] == pytest.approx(right["volume_ml"], rel=1e-6)
    assert any("1024 was subtracted" in w for w in stored["warnings"])

    enhanced = patient.hu.copy()
    brain = np.argwhere(patient.brain.sum(axis=2) > 8)
    (x0, y0), (x1, y1) = brain.min(0), brain.max(0)
    middle = patient.brain.sum(axis=(0, 1)).argmax()
    for x in (x0 + (x1 - x0) // 4, x1 - (x1 - x0) // 4):
        enhanced[x, y0 + (y1 - y0) // 4 : y1 - (y1 - y0) // 4, middle] = 320
    contrast = result(saved(tmp_path / "contrast.nii", enhanced, patient.affine, true))
    assert any("contrast medium seems to have been given" in w for w in contrast["warnings"])
