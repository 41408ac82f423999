"""Law: independent libraries put the same voxels in the same places."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_factory import N, head, uid, write_series

from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.nifti.images import read_nifti, save_like

ORIENTATIONS = [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), (0, 1, 0, -1, 0, 0)]
TO_RAS = np.array([-1, -1, 1])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_itk_reads_the_same_series(tmp_path, orientation):
    write_series(tmp_path, orientation=tuple(map(float, orientation)))
    volume = read_dicom_series(tmp_path)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path), uid("ncct"))
    image = sitk.ReadImage(names)
    back = np.linalg.inv(volume.affine)
    for i, j, k in [(0, 0, 0), (5, 9, 3), (31, 0, 7), (0, 39, 19), (12, 20, 11)]:
        world = np.array(image.TransformIndexToPhysicalPoint((i, j, k))) * TO_RAS
        index = np.rint(back[:3, :3] @ world + back[:3, 3]).astype(int)
        np.testing.assert_allclose(volume.index_to_world(index), world, atol=1e-6)
        assert volume.hu[tuple(index)] == image.GetPixel(i, j, k)


def test_itk_reads_a_written_mask_where_nibabel_does(tmp_path):
    write_series(tmp_path / "in")
    volume = read_dicom_series(tmp_path / "in")
    mask = np.zeros(volume.hu.shape, bool)
    mask[4, 11, 6] = True
    path = save_like(volume, mask, tmp_path / "m.nii.gz", dtype=np.uint8, description="mask")
    image = sitk.ReadImage(str(path))
    k, j, i = map(int, np.argwhere(sitk.GetArrayFromImage(image))[0])
    world = np.array(image.TransformIndexToPhysicalPoint((i, j, k))) * TO_RAS
    np.testing.assert_allclose(world, volume.index_to_world(np.array([4, 11, 6])), atol=1e-4)
    assert nib.load(path).shape == (32, 40, N)


def test_a_dicom_head_and_its_nifti_are_the_same_volume(tmp_path):
    write_series(tmp_path / "in")
    volume = read_dicom_series(tmp_path / "in")
    path = save_like(volume, volume.hu, tmp_path / "ct.nii.gz", dtype=np.int16, description="HU")
    again = read_nifti(path)
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-4)


def test_highdicom_multi_frame_conversion_is_the_same_volume(tmp_path):
    legacy = pytest.importorskip("highdicom.legacy")
    single = []
    for path in write_series(tmp_path / "in", hu=head(8)):
        ds = pydicom.dcmread(path)
        ds.FrameOfReferenceUID = uid("frame")
        ds.AccessionNumber = ds.StudyID = ds.PatientBirthDate = ds.PatientSex = ""
        ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ""
        ds.SeriesNumber = 1
        single.append(ds)
    multi = legacy.LegacyConvertedEnhancedCTImage(
        single,
        series_instance_uid=uid("legacy"),
        series_number=2,
        sop_instance_uid=uid("legacy-sop"),
        instance_number=1,
    )
    (tmp_path / "out").mkdir()
    multi.save_as(tmp_path / "out" / "multi.dcm")
    volume, again = read_dicom_series(tmp_path / "in"), read_dicom_series(tmp_path / "out")
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine, volume.affine)
