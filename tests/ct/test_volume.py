"""Laws: reorientation is lossless both ways, and world coordinates do not depend on it."""

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.ct.axes import lps_affine
from strokediff.ct.volume import CT, Source, pixel_area_mm2
from strokediff.errors import InputError

SHAPE = (4, 5, 6)
CODES = ["".join(c) for p in permutations(["RL", "AP", "SI"]) for c in product(*p)]


def stored_volume(codes):
    """A volume stored with the axes `codes`, and its stored array."""
    order = nib.orientations.axcodes2ornt(codes)
    ras = np.diag([0.5, 0.6, 3.0, 1.0])
    ras[:3, 3] = [1, 2, 3]
    from_ras = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), order)
    array = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    stored = nib.orientations.apply_orientation(array, from_ras)
    affine = ras @ nib.orientations.inv_ornt_aff(from_ras, SHAPE)
    source = Source(Path("x"), "array", stored.shape, affine)
    return CT.from_source_array(stored, source), array, stored, ras


@pytest.mark.parametrize("codes", CODES)
def test_every_orientation_becomes_ras_and_comes_back(codes):
    volume, array, stored, ras = stored_volume(codes)
    np.testing.assert_array_equal(volume.hu, array)
    np.testing.assert_allclose(volume.affine, ras)
    np.testing.assert_array_equal(volume.to_source(volume.hu), stored)
    np.testing.assert_array_equal(volume.from_source(stored), array)
    np.testing.assert_allclose(volume.slice_increments_mm, np.full(6, 3.0))


def test_volume_is_count_times_determinant():
    volume, *_ = stored_volume("LPS")
    mask = np.random.default_rng(0).random(SHAPE) > 0.5
    expected = mask.sum() * abs(np.linalg.det(volume.affine))
    assert volume.mask_volume_mm3(mask) == pytest.approx(expected)
    assert pixel_area_mm2(volume.affine) == pytest.approx(0.3)
    assert volume.mask_volume_mm3(np.zeros(SHAPE)) == 0
    assert volume.integral_ml(mask * 0.25) == pytest.approx(expected / 4000)


def test_index_to_world_takes_any_number_of_points():
    volume, *_ = stored_volume("RAS")
    points = np.array([[[0, 0, 0], [1, 2, 3]]])
    np.testing.assert_allclose(volume.index_to_world(points), [[[1, 2, 3], [1.5, 3.2, 12]]])


def test_lps_to_ras_is_its_own_inverse():
    np.testing.assert_array_equal(lps_affine(lps_affine(np.eye(4))), np.eye(4))


def test_a_dropped_axis_is_refused():
    affine = np.diag([1.0, 1.0, 0.0, 1.0])
    with pytest.raises(InputError, match="drops an axis"):
        CT.from_source_array(np.zeros(SHAPE), Source(Path("x"), "array", SHAPE, affine))


def test_uneven_slices_must_be_axial():
    affine = np.array([[0, 0, 3.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    with pytest.raises(InputError, match="uneven slices that are not axial"):
        CT.from_source_array(
            np.zeros(SHAPE),
            Source(Path("x"), "array", SHAPE, affine),
            slice_increments_mm=np.ones(6),
            slice_origins_mm=np.zeros((6, 3)),
        )


def test_an_array_of_another_shape_is_refused():
    volume, *_ = stored_volume("LPS")
    with pytest.raises(ValueError, match="expected an array of shape"):
        volume.to_source(np.zeros((1, 2, 3)))


def test_a_ct_says_what_it_is_in_a_line() -> None:
    ct = CT(np.zeros((4, 5, 3)), np.diag([0.5, 0.5, 5.0, 1.0]))
    assert repr(ct) == "<CT 'array' (array): 4 x 5 x 3 voxels of 0.50 x 0.50 x 5.00 mm>"
