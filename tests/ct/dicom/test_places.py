"""Law: what is unusual in where slices lie, whose they are, or where their files are, is read
where it is unambiguous and else refused with what is wrong."""

import struct

import numpy as np
import pydicom
import pytest
from dicom_factory import CT_IMAGE, MARKER_HU, N, head, headers, tilted, uid, write_series
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from strokediff.ct.dicom.files import files_of_dicomdir, is_dicomdir
from strokediff.ct.dicom.frames import unit_directions
from strokediff.ct.dicom.headers import scan
from strokediff.ct.dicom.patients import patients_in
from strokediff.ct.dicom.read import read_dicom_series
from strokediff.errors import InputError


def rewritten(path, tag, text):
    """Give a DS element another text, which pydicom would refuse to write."""
    raw = path.read_bytes()
    at = raw.index(struct.pack("<HH", *tag) + b"DS")
    end = at + 8 + struct.unpack_from("<H", raw, at + 6)[0]
    value = text.encode() + b" " * (len(text) % 2)
    path.write_bytes(raw[: at + 6] + struct.pack("<H", len(value)) + value + raw[end:])


SPACING_TAG, POSITION_TAG, ORIENTATION_TAG = (0x28, 0x30), (0x20, 0x32), (0x20, 0x37)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (SPACING_TAG, "0,9\\0,7"),
        (SPACING_TAG, "0,90\\0.7"),
        (SPACING_TAG, "9,0E-1\\7,0e-1"),
        (POSITION_TAG, "-20,0\\-30,0\\{z},0"),
        (POSITION_TAG, "-20\\-30,0\\{z},0"),
        (ORIENTATION_TAG, "1,0\\0,0\\0,0\\0,0\\1,0\\0,0"),
    ],
)
def test_decimal_commas_are_read_with_a_warning(tmp_path, tag, text):
    for k, path in enumerate(write_series(tmp_path)):
        rewritten(path, tag, text.format(z=5 * k))
    volume = read_dicom_series(tmp_path)
    np.testing.assert_allclose(volume.spacing_mm, (0.7, 0.9, 5.0))
    assert any("decimal comma" in w for w in volume.warnings)


@pytest.mark.parametrize(
    ("tag", "text", "message"),
    [
        (SPACING_TAG, "0,9,0,7", r"PixelSpacing reads '0,9,0,7', not 2 numbers in 6 of 6 slices"),
        (SPACING_TAG, "1,000.5\\0.7", "PixelSpacing reads"),
        (SPACING_TAG, "0.9", "PixelSpacing reads '0.9', not 2 numbers"),
        (SPACING_TAG, "0\\0.7", "PixelSpacing is not above 0"),
        (SPACING_TAG, "-0.9\\0.7", "PixelSpacing is not above 0"),
        (SPACING_TAG, "nan\\0.7", "PixelSpacing reads 'nan"),
        (SPACING_TAG, "", "no PixelSpacing in 6 of 6 slices"),
        (ORIENTATION_TAG, "", "no ImageOrientationPatient in 6 of 6 slices"),
        (ORIENTATION_TAG, "1\\0\\0\\0\\0.5\\0", "not two perpendicular directions of length 1"),
        (ORIENTATION_TAG, "1\\0\\0\\0.5\\0.86\\0", "not two perpendicular directions"),
        (POSITION_TAG, "1e400\\0\\0", "ImagePositionPatient reads '1e400"),
        (POSITION_TAG, "", "no ImagePositionPatient in 6 of 6 slices"),
        (POSITION_TAG, "left\\up\\in", r"ImagePositionPatient reads 'left.up.in', not 3 numbers"),
    ],
)
def test_what_is_wrong_with_a_place_is_said_and_in_how_many_slices(tmp_path, tag, text, message):
    for path in write_series(tmp_path, hu=head(6)):
        rewritten(path, tag, text)
    with pytest.raises(InputError, match=message) as caught:
        read_dicom_series(tmp_path)
    assert "Give the original DICOM files" in str(caught.value)


@pytest.mark.parametrize("decimals", [2, 3, 5])
@pytest.mark.parametrize("degrees", [9.9, -18.5])
def test_rounded_cosines_do_not_scale_the_voxels(tmp_path, degrees, decimals):
    rounded = tuple(float(v) for v in np.round(tilted(degrees), decimals))
    write_series(tmp_path, orientation=rounded)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_allclose(volume.pixel_spacing_mm, (0.7, 0.9), rtol=1e-6)
    assert volume.source.details["tilt_deg"] == pytest.approx(degrees, abs=0.5)
    assert np.count_nonzero(volume.hu == MARKER_HU) == 1


def test_the_nearest_orthonormal_pair():
    exact = np.array(tilted(18.5)).reshape(2, 3)
    assert unit_directions(exact) is exact
    near = unit_directions(exact + np.array([[0, 0.01, 0], [0.003, 0, -0.004]]))
    np.testing.assert_allclose(near @ near.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(near, exact, atol=0.01)
    for far in (2 * exact, [[1, 0, 0], [1, 0, 0]], np.zeros((2, 3))):
        assert unit_directions(np.array(far, dtype=float)) is None


HALVES = {
    "one above the other": (np.arange(10), np.arange(10, N)),
    "in turn": (np.arange(0, N, 2), np.arange(1, N, 2)),
    "a few": (np.arange(2, N), np.arange(2)),
    "in blocks": (np.r_[0:5, 10:15], np.r_[5:10, 15:20]),
}


@pytest.mark.parametrize("kind", HALVES)
def test_a_series_under_two_patient_ids_is_one_head(tmp_path, kind):
    """Each ID alone is half a head: the slices complete each other, so they are one scan."""
    hu, z = head(), 5.0 * np.arange(N)
    for name, part in zip("ab", HALVES[kind], strict=True):
        write_series(
            tmp_path / name, hu=hu[part], z=z[part], numbers=(part + 1).tolist(), patient=name
        )
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu.transpose(2, 1, 0)[::-1, ::-1])
    assert any("2 PatientIDs" in w for w in volume.warnings)
    assert not any(f"'{name}'" in w for w in volume.warnings for name in "ab")


@pytest.mark.parametrize(
    "second",
    [
        {},
        {"z": 5.0 * np.arange(N) + 2.0},
        {"z": 5.0 * np.arange(N) + 2.5},
        {"z": 5.0 * np.arange(N) + 2.5, "numbers": range(N, 0, -1)},
        {"z": 400 + 5.0 * np.arange(N), "numbers": range(101, 101 + N)},
        {"series": "other"},
    ],
)
def test_two_whole_heads_under_one_series_uid_are_two_patients(second):
    found = [*headers(patient="a"), *headers(patient="b", prefix="b", **second)]
    assert patients_in(found) == 2


def test_ids_that_share_no_series_stay_apart_from_those_that_do():
    hu, z = head(), 5.0 * np.arange(N)
    lower = headers(patient="a", hu=hu[:9], z=z[:9])
    upper = headers(patient="b", hu=hu[9:], z=z[9:], numbers=range(10, N + 1))
    assert patients_in([*lower, *upper]) == 1
    assert patients_in([*lower, *upper, *headers(patient="c", series="c")]) == 2
    assert patients_in(headers(patient="")) == 0


def dicomdir(path, names):
    """A directory of a medium that refers to files by their names' parts."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    ds.file_meta.MediaStorageSOPInstanceUID = uid("dir")
    ds.FileSetID = "HEADS"
    records = []
    for parts in names:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = parts
        record.ReferencedSOPClassUIDInFile = CT_IMAGE
        records.append(record)
    ds.DirectoryRecordSequence = records
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir.dcm"])
@pytest.mark.parametrize("case", [str, str.upper])
def test_a_dicomdir_stands_for_the_files_it_names(tmp_path, name, case):
    """Those and no others, whatever the letter case after copying."""
    paths = write_series(tmp_path / "st" / "se")
    write_series(tmp_path / "other", series="other", patient="other")
    names = [["st", "se", p.name] for p in paths]
    place = dicomdir(tmp_path / name, [[case(part) for part in parts] for parts in names])
    assert is_dicomdir(place)
    assert not is_dicomdir(paths[0])
    assert sorted(files_of_dicomdir(place)) == paths
    assert read_dicom_series(place).hu.shape[2] == N


def test_a_dicomdir_never_leads_out_of_its_folder(tmp_path):
    outside = write_series(tmp_path / "outside")
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "link").symlink_to(tmp_path / "outside")
    place = dicomdir(
        medium / "DICOMDIR",
        [
            ["..", "outside", outside[0].name],
            [str(outside[0])],
            ["../outside/000.dcm"],
            ["link", outside[0].name],
            ["C:", "000.dcm"],
        ],
    )
    assert files_of_dicomdir(place) == []
    with pytest.raises(InputError, match="only a DICOMDIR, and none of the files that it names"):
        read_dicom_series(place)


def test_files_that_a_dicomdir_names_and_that_are_gone_are_said(tmp_path):
    paths = write_series(tmp_path / "se")
    place = dicomdir(tmp_path / "DICOMDIR", [["se", p.name] for p in paths] + [["se", "gone"]])
    assert any("gone: No such file" in w for w in read_dicom_series(place).warnings)
    assert scan([place]).directories == [place]
    place.write_bytes(place.read_bytes()[:-200])
    assert read_dicom_series(tmp_path).warnings == ()
