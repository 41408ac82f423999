"""Laws of the working grid: means are kept, places are where they were."""

import numpy as np
import pytest

from strokediff.phantom.backgrounds.grid import WorkGrid

AFFINE = np.array([[0.5, 0, 0, -20], [0, 0.5, 0.1, 3], [0, 0, 5.0, 7], [0, 0, 0, 1]])


@pytest.fixture
def grid():
    mask = np.zeros((120, 110, 9), dtype=bool)
    mask[40:80, 30:75, 2:7] = True
    return WorkGrid.around(mask, AFFINE)


def test_about_a_millimetre(grid):
    """Blocks of two pixels and four sub-slices for 0.5 x 0.5 x 5 mm."""
    assert (grid.block, grid.subs) == (2, 4)
    assert grid.spacing_mm == pytest.approx((1.0, 1.0, 1.25), abs=0.01)
    assert grid.voxel_ml * grid.subs / grid.block**2 == pytest.approx(0.5 * 0.5 * 5 / 1000)


def test_a_fine_index_is_where_its_voxels_are(grid):
    """A field that is linear in mm is so on every grid."""
    native = np.indices([s.stop - s.start for s in grid.box]).astype(float)
    start = np.array([s.start for s in grid.box]).reshape(3, 1, 1, 1)
    world = np.tensordot(AFFINE[:3, :3], native + start, 1) + AFFINE[:3, 3].reshape(3, 1, 1, 1)
    slices = [grid.blocks(axis) for axis in world]
    fine = np.stack([grid.to_fine(axis) for axis in slices])
    index = np.indices(fine.shape[1:]).astype(float)
    expected = np.tensordot(grid.affine[:3, :3], index, 1) + grid.affine[:3, 3].reshape(3, 1, 1, 1)
    inner = (slice(None), slice(None), slice(None), slice(2, -2))  # beyond, the end slice goes on
    assert np.allclose(fine[inner], expected[inner], atol=1e-4)
    back = grid.to_native(slices[0])
    assert np.allclose(back[2:-2, 2:-2], world[0][2:-2, 2:-2], atol=1e-4)


def test_through_a_slice_the_mean_is_kept(grid):
    """Partial volume: the mean over sub-slices, blocks of one value stay."""
    fine = np.random.default_rng(0).random((10, 10, 5 * grid.subs))
    assert grid.to_slices(fine).mean() == pytest.approx(fine.mean())
    assert np.allclose(grid.to_native(np.full((4, 4, 3), 2.5)), 2.5)
