"""Laws: headers give order and spacing where they agree; nothing in an archive is unpickled."""

from pathlib import Path

import layout_factory as make
import numpy as np
import pydicom
import pytest

from strokediff.cohort.importing.cpaisd import read_archive
from strokediff.ct.nifti.images import read_nifti
from strokediff.errors import InputError

PIXEL, STEP = 0.45, 4.0


def with_headers(root: Path, *, upside_down: bool = True) -> Path:
    """Headers that stack slice 0 at the top, as scanners may number them."""
    for folder in root.glob("*/*/*"):
        k = int(folder.name)
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        header.SOPClassUID = pydicom.uid.CTImageStorage
        header.SOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[str(folder)])
        header.PixelSpacing = [PIXEL, PIXEL]
        header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        header.ImagePositionPatient = [-20, -21, -k * STEP if upside_down else k * STEP]
        header.save_as(folder / "raw.dcm", enforce_file_format=True)
    return root


def test_without_headers_the_order_is_by_number_and_spacing_unknown(
    tmp_path: Path, imported
) -> None:
    made = imported("cpaisd", make.cpaisd(tmp_path / "src"))
    assert made.names == ["cpaisd_1.2.0", "cpaisd_1.2.1", "cpaisd_1.2.2"]
    assert made.hu(made.names[0])[60, 60].tolist() == list(range(40, 52))
    assert made.mask(made.names[0]).any(axis=(0, 1)).nonzero()[0].tolist() == [2, 3, 4]
    assert made.meta["spacing"] == "unknown"
    assert made.meta["declared_split"] == {
        "train": made.names[:2],
        "val": [],
        "test": made.names[2:],
    }


def test_headers_give_order_and_spacing(tmp_path: Path, imported) -> None:
    made = imported("cpaisd", with_headers(make.cpaisd(tmp_path / "src")))
    name = made.names[0]
    assert made.meta["spacing"] == "known"
    assert made.hu(name)[60, 60].tolist() == list(range(51, 39, -1))
    volume = read_nifti(made.path / "images" / f"{name}.nii.gz")
    assert volume.spacing_mm == pytest.approx((PIXEL, PIXEL, STEP))
    # Stored voxel (0, 0, 0) is the lowest slice's first pixel: DICOM (-20, -21, -44), in LPS.
    np.testing.assert_allclose(volume.source.affine[:3, 3], [20, 21, -44])
    mask = volume.from_source(made.mask(name))
    x, y, _ = np.argwhere(mask).T
    assert x.mean() > make.SIDE / 2 and y.mean() > make.SIDE / 2
    ml = made.meta["patients"][name]["lesion_ml"]
    assert ml == pytest.approx(3 * 120 * PIXEL**2 * STEP / 1000)


def test_uneven_headers_leave_spacing_unknown(tmp_path: Path, imported) -> None:
    source = with_headers(make.cpaisd(tmp_path / "src"))
    path = source / "train" / "1.2.0" / "7" / "raw.dcm"
    header = pydicom.dcmread(path)
    header.ImagePositionPatient = [-20, -21, -29.5]
    header.save_as(path)
    made = imported("cpaisd", source)
    assert made.meta["spacing"] == "unknown"
    assert [p["spacing_known"] for p in made.meta["patients"].values()] == [False, True, True]


def test_the_core_alone(tmp_path: Path, imported) -> None:
    made = imported("cpaisd", make.cpaisd(tmp_path / "src"), labels=("core",))
    assert made.mask(made.names[0]).any(axis=(0, 1)).nonzero()[0].tolist() == [2, 3]


def test_values_that_are_no_hounsfield_units_are_refused(tmp_path: Path, imported) -> None:
    source = make.cpaisd(tmp_path / "src", train=1, test=1)
    for path in source.rglob("image.npz"):
        np.savez(path, image=np.clip(np.load(path)["image"], 0, 80) / 80)
    with pytest.raises(InputError, match="not a whole head in Hounsfield units"):
        imported("cpaisd", source)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "image.npz"
    np.savez(path, image=np.array([object()]))
    with pytest.raises(InputError, match=r"image\.npz: expected a NumPy archive"):
        read_archive(path, "image")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more"])
def test_a_damaged_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mask.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"mask\.npz: expected a NumPy archive"):
        read_archive(tmp_path / "mask.npz", "mask")


def test_arrays_of_other_names_or_shapes(tmp_path: Path) -> None:
    path = tmp_path / "mask.npz"
    np.savez(path, arr_0=np.zeros((4, 4)))
    assert read_archive(path, "mask").shape == (4, 4)
    np.savez(path, a=np.zeros((4, 4)), b=np.zeros((4, 4)))
    with pytest.raises(InputError, match="expected an array 'mask', got a, b"):
        read_archive(path, "mask")
    np.savez(path, mask=np.zeros((2, 4, 4)))
    with pytest.raises(InputError, match=r"expected a 2D array of numbers, got shape \(2, 4, 4\)"):
        read_archive(path, "mask")
