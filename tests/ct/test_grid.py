"""Laws of the way to the network's grid and back."""

from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from strokediff.ct.grid import GridConfig, SliceGrid, _Separable, widened
from strokediff.ct.volume import CT, Source

GRID = GridConfig(size=64, spacing_mm=3.0)


def head(
    shape: tuple[int, int, int] = (200, 220, 3), spacing: tuple[float, float, float] = (0.9, 0.7, 5)
) -> tuple[CT, np.ndarray]:
    """An ellipse of brain at 30 HU in bone at 1000 HU, off the image's centre."""
    affine = np.diag([*spacing, 1.0])
    x, y = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    brain = ((x - 110) * spacing[0] / 60) ** 2 + ((y - 100) * spacing[1] / 65) ** 2 < 1
    hu = np.where(brain, 30.0, 1000.0)[:, :, None].repeat(shape[2], 2).astype(np.float32)
    source = Source(Path("x"), "array", shape, affine)
    return CT.from_source_array(hu, source), brain[:, :, None].repeat(shape[2], 2)


def test_bone_never_bleeds_into_the_brain() -> None:
    """A constant brain stays constant up to its edge, and everything outside is 0."""
    volume, brain = head()
    slices = SliceGrid(GRID, volume, brain).image(volume.hu)
    inside = slices.m > 0
    np.testing.assert_allclose(slices.x[inside], (30 - 40) / 40, atol=1e-5)
    assert not slices.x[~inside].any()


def test_area_and_place_of_the_mask_are_kept() -> None:
    volume, brain = head()
    m = SliceGrid(GRID, volume, brain).image(volume.hu).m
    assert m[0].sum() * 9.0 == pytest.approx(np.pi * 60 * 65, rel=0.02)
    rows, columns = np.nonzero(m[0])
    assert rows.mean() == pytest.approx(31.5, abs=0.5)
    assert columns.mean() == pytest.approx(31.5, abs=0.5)


def test_there_and_back_a_lesion_overlaps_itself() -> None:
    volume, brain = head()
    lesion = np.zeros_like(brain)
    lesion[100:150, 60:110] = True
    grid = SliceGrid(GRID, volume, brain)
    back = (grid.to_volume(grid.label(lesion).astype(np.float32)) >= 0.5) & brain
    dice = 2 * (back & lesion).sum() / (back.sum() + lesion.sum())
    assert dice > 0.95


def test_a_label_keeps_its_volume_however_thin_it_is() -> None:
    """A rim of a third of a pixel and a spot of one pixel and a half, in each slice by itself."""
    volume, brain = head()
    x, y = np.meshgrid(np.arange(200) * 0.9, np.arange(220) * 0.7, indexing="ij")
    radius = np.hypot(x - 99, y - 70)
    rim, spot = (radius > 30) & (radius < 31), radius < 2.1
    lesion = np.stack([rim, spot, np.zeros_like(rim)], axis=2)
    label = SliceGrid(GRID, volume, brain).label(lesion)
    area = lesion.sum(axis=(0, 1)) * 0.9 * 0.7 / 9
    assert area[0] > 15 and 1 < area[1] < 2
    assert (np.abs(label.sum(axis=(1, 2)) - area) <= 0.5).all()


def test_a_label_is_what_covers_most_of_its_pixels_and_lies_in_the_brain() -> None:
    volume, brain = head((192, 192, 1), (1.0, 1.0, 5.0))
    brain[:] = False
    brain[48:144, 48:144] = True  # the grid's pixels are 3 x 3 of the head's, edges together
    lesion = np.zeros_like(brain)
    lesion[60:74, 60:71] = True  # ends two thirds into a pixel on either axis
    lesion[:40] = True
    label = SliceGrid(GRID, volume, brain).label(lesion)[0]
    rows, columns = np.nonzero(label)
    assert label.sum() == round(14 * 11 / 9)
    assert (columns.min(), rows.min()) == (20, 20)
    whole = label[20:23, 20:24]
    assert whole.all() and label[20:24, 20:25].sum() == label.sum()


def test_there_and_back_a_smooth_image_is_kept_to_the_edge() -> None:
    """Linear ramps survive both ways; the cortex keeps its value."""
    volume, brain = head()
    ramp = np.linspace(10, 70, brain.shape[0])[:, None, None] + np.zeros(brain.shape)
    grid = SliceGrid(GRID, volume, brain)
    back = grid.to_volume(grid.image(ramp.astype(np.float32)).x) * 40 + 40
    assert np.abs(back - ramp)[brain].max() < 1.0
    assert not back[~brain].any() or (back[~brain] == 40).all()


def test_the_axes_are_not_mixed_up() -> None:
    """A spot to the right and in front lies at high column and high row."""
    volume, brain = head()
    spot = np.zeros_like(brain)
    spot[140:150, 140:150] = True
    rows, columns = np.nonzero(SliceGrid(GRID, volume, brain).label(spot)[0])
    assert rows.min() > 35
    assert columns.min() > 35


def test_a_coarser_image_than_the_grid_is_interpolated() -> None:
    volume, brain = head((60, 60, 2), (3.0, 3.0, 5.0))
    brain[:] = False
    brain[20:40, 20:40] = True
    grid = SliceGrid(GridConfig(size=64, spacing_mm=1.0), volume, brain)
    slices = grid.image(volume.hu)
    assert slices.m[0].sum() == pytest.approx(60 * 60, rel=0.05)


def test_what_the_grid_cuts_off_is_measured() -> None:
    volume, brain = head()
    whole = SliceGrid(GRID, volume, brain)
    half = SliceGrid(GridConfig(size=64, spacing_mm=1.0), volume, brain)
    assert whole.cut_off_fraction == 0.0
    assert 0.5 < half.cut_off_fraction < 0.8


def test_an_empty_brain_gives_empty_slices() -> None:
    volume, brain = head()
    slices = SliceGrid(GRID, volume, np.zeros_like(brain)).image(volume.hu)
    assert not slices.m.any()
    assert not slices.x.any()


def test_window_is_linear_and_clipped() -> None:
    hu = np.array([-1000.0, 0.0, 40.0, 60.0, 80.0, 3000.0])
    np.testing.assert_allclose(GridConfig().windowed(hu), [-1, -1, 0, 0.5, 1, 1])


def test_beyond_the_mask_the_rim_shows_what_lies_there_and_no_further() -> None:
    """Inside m it is the image; bone (+1 in the window) for 4 mm around it; 0 beyond."""
    volume, brain = head()
    grid = SliceGrid(GRID, volume, brain)
    slices, rimmed = grid.image(volume.hu), grid.image_with_rim(volume.hu, 4.0)
    inside = slices.m > 0
    rim = widened(inside, 4.0, GRID.spacing_mm) & ~inside
    assert np.array_equal(rimmed[inside], slices.x[inside])
    assert rim.any() and rimmed[rim].mean() > 0.5
    assert not rimmed[~inside & ~rim].any()


@pytest.mark.parametrize("by_mm", [-6.0, 6.0])
def test_a_disc_is_widened_to_a_disc(by_mm: float) -> None:
    """The radius changes by `by_mm`, in millimetres whatever the pixel."""
    y, x = np.mgrid[-20:21, -20:21] * 1.5
    m = (x**2 + y**2 <= 18.0**2)[None]
    area = widened(m, by_mm, 1.5).sum() * 1.5**2
    assert area == pytest.approx(np.pi * (18.0 + by_mm) ** 2, rel=0.06)


def test_an_empty_mask_stays_empty_and_a_full_one_full() -> None:
    m = np.zeros((2, 8, 8), bool)
    m[1] = True
    assert np.array_equal(widened(m, 4.0, 2.0), m)
    assert np.array_equal(widened(m, -4.0, 2.0), m)


@pytest.mark.parametrize("side", [61, 512, 650])
@pytest.mark.parametrize("size", [32, 97])
def test_bytes_do_not_depend_on_how_many_cores_multiply(side: int, size: int) -> None:
    """A threaded BLAS shares a product's sum out by cores, and rounds each share by itself."""
    hu = np.random.default_rng(0).normal(30, 20, (side, side + 3, 2)).astype(np.float32)
    affine = np.diag([230 / side, 230 / side, 5.0, 1.0])
    volume = CT.from_source_array(hu, Source(Path("x"), "array", hu.shape, affine))
    brain = np.zeros(hu.shape, bool)
    brain[side // 5 : -side // 5, side // 6 : -side // 6] = True
    config, made = GridConfig(size=size, spacing_mm=200 / size), []
    for cores in (1, 2):
        with threadpool_limits(cores, user_api="blas"):
            grid = SliceGrid(config, volume, brain)
            x = grid.image_with_rim(hu, 10.0)
            made.append((x.tobytes(), grid.to_volume(x).tobytes(), grid.label(hu > 50).tobytes()))
    assert made[0] == made[1]


def test_the_separable_product_is_that_of_the_matrices() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.random(shape).astype(np.float32) for shape in ((5, 7), (4, 6)))
    a[a < 0.5] = 0
    a[2], array = 0, rng.random((7, 6, 3))
    product = _Separable(a, b)
    np.testing.assert_allclose(product(array), np.einsum("ax,by,xyz->abz", a, b, array), rtol=1e-5)
    assert 2 not in product.used[0] and len(product.used[1]) == 4
