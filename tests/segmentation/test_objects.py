"""Laws: `segment --dicom` and `export dicom` write the same objects; what cannot be is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

import strokediff as sd
from strokediff.cli.app import app
from strokediff.errors import InputError, UsageError
from strokediff.phantom.dicom import write_dicom_series
from strokediff.segmentation.objects import export_objects

pytest.importorskip("highdicom")
NAMES = {"lesion_seg.dcm", "lesion_sr.dcm", "lesion_sc.dcm"}
MODEL = ("--model", "phantom-stroke", "--method", "avg", "--device", "cpu")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects") / "scan"
    phantom = sd.make_phantom("hemorrhage", seed=5, matrix=96, thickness_mm=10.0)
    write_dicom_series(phantom, folder)
    return folder


def run(*arguments: object) -> str:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False).output


@pytest.fixture(scope="module")
def result(scan: Path) -> Path:
    out = scan.parent / "result"
    run("segment", scan, "-o", out, *MODEL, "--dicom", "seg,sr,sc")
    return out


def test_the_objects_are_files_of_the_result(scan: Path, result: Path) -> None:
    record = sd.Record.model_validate_json((result / "result.json").read_text())
    assert set(record.files) >= NAMES
    seg = pydicom.dcmread(result / "lesion_seg.dcm")
    voxels = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8)).sum()
    assert voxels == (np.asarray(nib.load(result / "lesion_mask.nii.gz").dataobj) > 0).sum() > 0
    run("segment", scan, "-o", result, *MODEL, "--dicom", "sr,seg", "--dicom", "sc")
    kept = sd.Record.model_validate_json((result / "result.json").read_text())
    assert kept.fingerprint == record.fingerprint and kept.seconds == record.seconds


def test_exported_later_they_are_the_same(scan: Path, result: Path, tmp_path: Path) -> None:
    told = run("export", "dicom", result, "--source", scan, "-o", tmp_path / "out")
    assert "lesion_sc.dcm, lesion_seg.dcm, lesion_sr.dcm" in told.replace("\n", "")
    for name in NAMES:
        assert (tmp_path / "out" / name).read_bytes() == (result / name).read_bytes()
    with pytest.raises(UsageError, match="out: is there already"):
        run("export", "dicom", result, "--source", scan, "-o", tmp_path / "out")
    run(
        *("export", "dicom", result, "--source", scan, "-o", tmp_path / "one"),
        *("--objects", "sr", "--quiet"),
    )
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["lesion_sr.dcm"]


def test_from_python_and_of_an_archive(scan: Path, tmp_path: Path) -> None:
    model = sd.load("phantom-stroke", device="cpu")
    archive = Path(shutil.make_archive(str(tmp_path / "scan"), "zip", scan))
    run("segment", archive, "-o", tmp_path / "zip", *MODEL, "--no-preview", "--dicom", "seg")
    found = model.segment(scan, method="avg")
    record = found.save(tmp_path / "own", pictures=False, dicom=["sr", "seg", "sc"])
    assert {"lesion_seg.dcm", "lesion_sr.dcm"} <= set(record.files)
    assert "no montage" in " ".join(record.warnings)
    one, other = (pydicom.dcmread(tmp_path / where / "lesion_seg.dcm") for where in ("zip", "own"))
    assert one.PixelData == other.PixelData and one.SeriesInstanceUID != ""


def test_what_has_no_study_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    phantom = sd.make_phantom("hemorrhage", seed=5, matrix=96, thickness_mm=10.0)
    nib.save(nib.Nifti1Image(phantom.hu.astype(np.int16), phantom.affine), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="NIfTI has no patient, study or instances"):
        run("segment", tmp_path / "a.nii.gz", "-o", tmp_path / "o", *MODEL, "--dicom", "seg")
    assert not (tmp_path / "o" / "result.json").exists()
    found = sd.load("phantom-stroke", device="cpu").segment(tmp_path / "a.nii.gz", "avg")
    with pytest.raises(UsageError, match="DICOM objects are wanted of a nifti image"):
        found.save(tmp_path / "p", dicom=["seg"])
    with pytest.raises(UsageError, match="no DICOM object 'rtss'; expected some of: seg, sr, sc"):
        found.save(tmp_path / "p", dicom=["rtss"])


def test_another_series_or_a_moved_one_is_refused(scan: Path, result: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(scan, moved)
    for path in moved.iterdir():
        dataset = pydicom.dcmread(path)
        if "ImagePositionPatient" in dataset:
            x, y, z = dataset.ImagePositionPatient
            dataset.ImagePositionPatient = [x, y, z + 3]
            dataset.save_as(path)
    with pytest.raises(InputError, match="is not what .* was made from"):
        export_objects(result, moved, tmp_path / "out")
    other = sd.make_phantom("infarct", seed=6, matrix=96, thickness_mm=10.0)
    write_dicom_series(other, tmp_path / "other")
    with pytest.raises(InputError, match="series named with --series is not there"):
        export_objects(result, tmp_path / "other", tmp_path / "out")
    with pytest.raises(InputError, match="no result of 'strokediff segment'"):
        export_objects(scan, scan, tmp_path / "out")
    assert not (tmp_path / "out").exists()
