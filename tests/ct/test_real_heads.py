"""Law: real scans, where they lie beside the project, are read as their provenance says."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.nifti.images import read_nifti, save_like
from strokediff.errors import InputError

DATA = Path(__file__).parents[3] / "shared" / "data"


def folder(name):
    if not (DATA / name).is_dir():
        pytest.skip(f"the real scan {name} is not at hand")
    return DATA / name


def test_ge_head_with_two_zones_and_a_tilt(tmp_path):
    volume = read_dicom_series(folder("ge-head-dicom"))
    assert volume.hu.shape == (512, 512, 28)
    assert volume.uneven
    steps = np.array(volume.source.details["increments_mm"])
    np.testing.assert_allclose(steps, [4.0] * 13 + [1.08] + [7.0] * 13, atol=0.01)
    assert volume.source.details["tilt_deg"] == pytest.approx(18.5, abs=0.01)
    bone = volume.hu > 300
    path = save_like(volume, bone, tmp_path / "bone.nii.gz", dtype=np.uint8, description="bone")
    hu = save_like(volume, volume.hu, tmp_path / "hu.nii", dtype=np.int16, description="HU")
    regular = read_nifti(hu)
    assert regular.spacing_mm[2] == pytest.approx(1.08, abs=0.01)
    assert np.prod(regular.hu.shape) < 512 * 512 * 150
    image = nib.load(path)
    ml = np.asarray(image.dataobj).sum() * abs(np.linalg.det(image.affine)) / 1e3
    assert ml == pytest.approx(volume.mask_volume_mm3(bone) / 1e3, rel=0.01)


def test_siemens_head_with_a_tilt_the_other_way():
    volume = read_dicom_series(folder("aisd-dicom"))
    assert volume.hu.shape == (512, 512, 14)
    assert not volume.uneven
    assert volume.source.details["tilt_deg"] == pytest.approx(6.0, abs=0.05)
    assert volume.spacing_mm[2] == pytest.approx(8.95, abs=0.01)


def test_tilted_phantom():
    volume = read_dicom_series(folder("tilted-phantom-dicom"))
    assert volume.hu.shape == (512, 512, 54)
    assert abs(volume.source.details["tilt_deg"]) == pytest.approx(18.5, abs=0.01)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gantrytilting/001", "4 slices, fewer than 5"),
        ("notavolume/001", "at one position"),
        ("sliceincrement/001", "4 slices, fewer than 5"),
        ("sliceincrement/002", "4 slices, fewer than 5"),
    ],
)
def test_broken_geometry_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        read_dicom_series(folder("broken-geometry-dicom") / name)


def test_cormack_units_are_recognised():
    with pytest.raises(InputError, match="Cormack units"):
        read_nifti(folder("scct") / "scct.nii")
