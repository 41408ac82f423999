"""The DICOM series lies where the phantom lies, read with pydicom alone."""

import numpy as np
import pydicom
import pytest

from strokediff.phantom import make_phantom, write_dicom_series


@pytest.fixture(scope="module")
def tilted():
    return make_phantom("infarct", (3, 2), matrix=48, slices=7, tilt_deg=-12.0)


@pytest.fixture(scope="module")
def series(tilted, tmp_path_factory):
    return write_dicom_series(tilted, tmp_path_factory.mktemp("dicom") / "a")


def test_every_pixel_lies_where_the_affine_says(tilted, series):
    """For pixels at (row, column) of each file: same patient coordinates, same HU."""
    inverse = np.linalg.inv(tilted.affine)
    for path in series:
        d = pydicom.dcmread(path)
        hu = d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept)
        row_dir, col_dir = np.reshape(np.array(d.ImageOrientationPatient, float), (2, 3))
        dr, dc = map(float, d.PixelSpacing)
        for r, c in ((0, 0), (0, 40), (31, 5), (47, 47), (20, 24)):
            lps = np.array(d.ImagePositionPatient, float) + row_dir * dc * c + col_dir * dr * r
            index = inverse @ np.array([-lps[0], -lps[1], lps[2], 1])
            assert np.allclose(index, np.round(index), atol=1e-3)
            i, j, k = np.round(index[:3]).astype(int)
            assert hu[r, c] == max(tilted.hu[i, j, k], -1024)


def test_series_is_a_valid_ct(series):
    """One series, one study, unique instances, directions orthonormal, required tags present."""
    data = [pydicom.dcmread(path) for path in series]
    assert len({d.SeriesInstanceUID for d in data}) == 1
    assert len({d.SOPInstanceUID for d in data}) == len(data)
    for d in data:
        rows = np.reshape(np.array(d.ImageOrientationPatient, float), (2, 3))
        assert np.allclose(rows @ rows.T, np.eye(2), atol=1e-6)
        assert list(d.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
        assert (d.Modality, str(d.PatientName)) == ("CT", "PHANTOM")
        assert d.file_meta.MediaStorageSOPInstanceUID == d.SOPInstanceUID


def test_the_scout_is_another_series_of_the_study(series):
    """A localizer lies beside the axial series, as scanners send it."""
    scout, axial = pydicom.dcmread(series[0].parent / "SC_0001.dcm"), pydicom.dcmread(series[0])
    assert scout.SeriesInstanceUID != axial.SeriesInstanceUID
    assert scout.StudyInstanceUID == axial.StudyInstanceUID
    assert "LOCALIZER" in scout.ImageType


def test_the_same_phantom_gives_the_same_files(tilted, series, tmp_path):
    """UIDs derive from the seed."""
    again = write_dicom_series(tilted, tmp_path)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in series]
