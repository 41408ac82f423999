"""Laws: the even grid tiles the same tissue, keeps slices in place and resamples exactly."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.ct.nifti.images import mask_file_ml, save_like
from strokediff.ct.regular_grid import MAX_SLICES, regular_grid
from strokediff.ct.volume import CT, Source


def volume_of(z, flip=False):
    """A sheared stack with slices at `z` mm; stored from the top down when `flip`."""
    z = np.asarray(z, dtype=float)
    stored = -z if flip else z
    affine = np.diag([-0.5, -0.6, np.median(np.diff(stored)), 1.0])
    affine[1, 2] = 0.2 * affine[2, 2]
    affine[:3, 3] = [10, 20, stored[0]]
    origins = np.stack([np.full(len(z), 10.0), 20 + 0.2 * (stored - stored[0]), stored], axis=1)
    steps = np.abs(np.diff(stored))
    padded = np.concatenate([steps[:1], steps, steps[-1:]])
    array = np.random.default_rng(0).normal(size=(6, 5, len(z))).astype(np.float32)
    return CT.from_source_array(
        array,
        Source(Path("x"), "dicom", array.shape, affine),
        slice_increments_mm=(padded[1:] + padded[:-1]) / 2,
        slice_origins_mm=origins,
    )


GE = [0, 4, 8, 12, 13.1, 20.1, 27.1, 34.1]


@pytest.mark.parametrize("flip", [False, True])
def test_places(flip):
    """A new voxel's world position is that of its fractional slice in the volume."""
    volume = volume_of(GE, flip)
    grid = regular_grid(volume)
    inside = (grid.positions > 0) & (grid.positions < len(GE) - 1)
    k = np.flatnonzero(inside)
    index = np.stack([np.full(len(k), 2), np.full(len(k), 3), k], axis=1)
    place = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    index = np.stack([np.full(len(k), 2.0), np.full(len(k), 3.0), grid.positions[k]], axis=1)
    np.testing.assert_allclose(place, volume.index_to_world(index), atol=1e-9)
    assert grid.affine[2, 2] > 0


@pytest.mark.parametrize("flip", [False, True])
def test_first_voxel_of_each_slice_keeps_its_place(flip):
    volume = volume_of(GE, flip)
    z = volume.index_to_world(np.array([[0, 0, k] for k in range(len(GE))]))[:, 2]
    np.testing.assert_allclose(z, sorted(-np.array(GE) if flip else GE))


def test_it_tiles_the_same_tissue():
    volume = volume_of(GE)
    grid = regular_grid(volume)
    assert grid.increment_mm <= 1.1
    assert grid.increment_mm * len(grid.positions) == pytest.approx(
        volume.slice_increments_mm.sum()
    )
    full = np.ones(volume.hu.shape, bool)
    voxel = abs(np.linalg.det(grid.affine[:3, :3]))
    assert grid.nearest(full).sum() * voxel == pytest.approx(volume.mask_volume_mm3(full))


def test_linear_is_exact_on_a_linear_image_and_nearest_copies():
    volume = volume_of(GE)
    grid = regular_grid(volume)
    along = np.array(GE, dtype=float)
    image = np.broadcast_to(along, volume.hu.shape)
    new = np.interp(grid.positions, np.arange(len(GE)), along)
    np.testing.assert_allclose(grid.linear(image)[0, 0], new, rtol=1e-6)
    assert set(np.unique(grid.nearest(image))) == set(along)


def test_slices_are_bounded():
    volume = volume_of([0, 0.1, *np.arange(5, 200, 5)])
    assert len(regular_grid(volume).positions) == MAX_SLICES


def test_an_even_volume_keeps_its_grid():
    array = np.zeros((4, 4, 6), np.float32)
    volume = CT.from_source_array(array, Source(Path("x"), "array", array.shape, np.eye(4)))
    grid = regular_grid(volume)
    np.testing.assert_array_equal(grid.affine, volume.affine)
    np.testing.assert_array_equal(grid.positions, np.arange(6))


ZONES = {
    "two zones": GE,
    "thin base": [*np.arange(0, 30, 2.5), *np.arange(31, 140, 5.0)],
    "one gap": [0, 5, 10, 16.5, 21.5, 26.5, 31.5],
    "even": np.arange(8) * 5.0,
}


@pytest.mark.parametrize("z", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("flip", [False, True])
def test_the_mask_files_own_volume_is_known_without_reading_it(tmp_path, z, flip):
    """Voxels in the file times its voxel size, whatever the slices are."""
    volume = volume_of(z, flip)
    mask = np.random.default_rng(1).random(volume.hu.shape) > 0.7
    mask[:, :, : len(z) // 2] = False
    path = save_like(volume, mask, tmp_path / "m.nii.gz", dtype=np.uint8, description="")
    image = nib.load(path)
    in_file = np.count_nonzero(image.dataobj) * abs(np.linalg.det(image.affine)) / 1000
    assert mask_file_ml(volume, mask) == pytest.approx(in_file, rel=1e-5)
    full = np.ones_like(mask)
    assert mask_file_ml(volume, full) == pytest.approx(volume.mask_volume_mm3(full) / 1000)
