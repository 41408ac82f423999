"""Laws: file, folder, zip and array of one head are one CT; what is not one head is said."""

import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_factory import head, uid, write_series

from strokediff.ct import read
from strokediff.ct.discovery.cases import Discovery, LeftOut
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.read import read_ct
from strokediff.errors import InputError, UsageError

AFFINE = np.diag([-0.7, -0.9, 5.0, 1.0])


def array() -> np.ndarray:
    return head().transpose(2, 1, 0)


def nifti(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array(), AFFINE), path)
    return path


def test_a_file_and_an_array_are_one_volume(tmp_path: Path) -> None:
    path = nifti(tmp_path / "scan.nii.gz")
    stored, given = read_ct(path), read_ct(array(), AFFINE)
    np.testing.assert_array_equal(stored.hu, read_nifti(path).hu)
    np.testing.assert_array_equal(stored.hu, given.hu)
    np.testing.assert_allclose(stored.affine, given.affine, rtol=1e-6)
    assert given.source.kind == "array"
    np.testing.assert_array_equal(given.to_source(given.hu), array())


def test_a_folder_a_file_of_it_and_a_zip(tmp_path: Path) -> None:
    files = write_series(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        for path in files:
            packed.write(path, path.name)
    for source in (tmp_path / "in", str(tmp_path / "p.zip")):
        assert read_ct(source).hu.shape[2] == len(files)
    with pytest.raises(InputError, match="1 slices, fewer than"):
        read_ct(files[0])


def test_a_series_by_its_uid(tmp_path: Path) -> None:
    write_series(tmp_path / "5mm")
    write_series(tmp_path / "thin", series="thin", hu=head(50), z=2.0 * np.arange(50))
    assert read_ct(tmp_path).source.details["series_uid"] == uid("ncct")
    assert read_ct(tmp_path, series=uid("thin")).hu.shape[2] == 50


def test_several_patients_are_named(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii.gz")
    nifti(tmp_path / "b.nii.gz")
    with pytest.raises(
        InputError, match=r"one patient, found 2: a; b\. Give one of them.*discover"
    ):
        read_ct(tmp_path)
    assert len([load_case(case) for case in discover(tmp_path).cases]) == 2


def test_failed_patients_are_named_with_the_reason(tmp_path: Path) -> None:
    nifti(tmp_path / "in" / "a" / "ct.nii.gz")
    (tmp_path / "in" / "b").mkdir()
    with pytest.raises(InputError, match=r"found 2: a.*; b \(the folder is empty"):
        read_ct(tmp_path / "in")


def test_a_study_beside_the_scan_is_a_warning_and_a_text_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nifti(tmp_path / "in" / "scan.nii.gz")
    (tmp_path / "in" / "notes.txt").write_text("text")
    assert read_ct(tmp_path / "in").warnings == ()
    other = LeftOut("later", tmp_path / "in" / "later", "a contrast-enhanced study", False)

    def found(path: Path, series: str | None) -> Discovery:
        return replace(discover(path, series), left_out=[other])

    monkeypatch.setattr(read, "discover", found)
    (warning,) = read_ct(tmp_path / "in").warnings
    assert "a contrast-enhanced study" in warning


def test_an_array_is_mended_as_a_file_is_and_left_as_it_was() -> None:
    padded = array().astype(np.float32)
    padded[padded == padded.min()] = -2000
    before = padded.copy()
    found = read_ct(padded, AFFINE)
    assert found.hu.min() == -1024
    assert any("values below -1024 HU" in warning for warning in found.warnings)
    np.testing.assert_array_equal(padded, before)


@pytest.mark.parametrize(
    ("values", "affine", "match"),
    [
        (array()[..., :3], AFFINE, "at least 5 axial slices"),
        (array()[0], AFFINE, "Expected HU"),
        (array(), np.eye(3), r"Expected HU \(X, Y, Z\) and an affine"),
        (array(), np.diag([0.7, 0.9, 0.0, 1]), "degenerate"),
        (array(), np.diag([7.0, 9.0, 5.0, 1]), "pixels of 0.2 to 3"),
        (array() * 0 + 1, AFFINE, "not a whole head"),
        (np.full((20, 20, 20), "a"), AFFINE, "Expected HU"),
    ],
)
def test_an_array_that_is_no_head_is_refused(values, affine, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_ct(values, affine)


def test_calls_that_contradict_themselves(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an affine goes with an array"):
        read_ct(tmp_path, AFFINE)
    with pytest.raises(UsageError, match="expected its affine"):
        read_ct(array())
    with pytest.raises(InputError, match="no such file or folder"):
        read_ct(tmp_path / "gone")
