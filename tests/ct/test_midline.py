"""Laws: a head's own plane is found however it lies, and mirroring twice gives it back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.midline import Midline, find_midline

SIDE, DEPTH = 64, 12


def head(angle: float, offset: float, slope: float) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """A smooth head, its left and right halves alike, turned and moved; a lesion on one side."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    x, m = np.zeros((DEPTH, SIDE, SIDE), np.float32), np.zeros((DEPTH, SIDE, SIDE), np.int8)
    texture = ndimage.gaussian_filter(rng.normal(0, 3.0, (DEPTH, SIDE, SIDE)), (1.0, 3.0, 3.0))
    texture = texture + texture[:, :, ::-1]
    turn = np.deg2rad(angle)
    for z in range(DEPTH):
        shift = (offset + slope * (z / (DEPTH - 1) - 0.5)) * SIDE
        across = columns * np.cos(turn) + rows * np.sin(turn) - shift
        along = rows * np.cos(turn) - columns * np.sin(turn)
        at = [along + (SIDE - 1) / 2, across + (SIDE - 1) / 2]
        x[z] = ndimage.map_coordinates(texture[z], at, order=1)
        m[z] = (across / 19) ** 2 + (along / 25) ** 2 < 1
        lesion = (across - 9) ** 2 + along**2 < 25
        x[z] = np.where(lesion, -0.6, x[z])
    return x.clip(-1, 1), m


@pytest.mark.parametrize(
    ("angle", "offset", "slope"),
    [(0.0, 0.0, 0.0), (11.0, 0.03, 0.0), (-17.0, -0.02, 0.04), (3.0, 0.05, -0.06)],
)
def test_the_plane_is_found_beside_a_lesion(angle: float, offset: float, slope: float) -> None:
    found = find_midline(*head(angle, offset, slope))
    assert found.angle == pytest.approx(angle, abs=1.0)
    assert found.offset == pytest.approx(offset, abs=0.008)
    assert found.slope == pytest.approx(slope, abs=0.02)


def test_a_finer_grid_has_the_same_plane() -> None:
    """Angle, offset and slope do not depend on the size of a pixel."""
    x, m = head(11.0, 0.03, -0.04)
    fine = find_midline(*(a.repeat(4, axis=1).repeat(4, axis=2) for a in (x, m)))
    coarse = find_midline(x, m)
    assert fine.angle == pytest.approx(coarse.angle, abs=0.5)
    assert fine.offset == pytest.approx(coarse.offset, abs=0.004)
    assert fine.slope == pytest.approx(coarse.slope, abs=0.01)


def test_mirroring_is_an_exact_flip_about_the_middle() -> None:
    x, _ = head(0.0, 0.0, 0.0)
    np.testing.assert_allclose(Midline().mirrored(x[3]), x[3][:, ::-1], atol=1e-6)
    by_two = Midline(offset=2 / SIDE).mirrored(x[3])
    np.testing.assert_allclose(by_two[:, 10:50], x[3][:, ::-1][:, 6:46], atol=1e-6)


def test_mirrored_twice_is_the_slice_again() -> None:
    x, m = head(10.0, 0.02, 0.03)
    line = Midline(10.0, 0.02, 0.03)
    again = line.mirrored(line.mirrored(x[4], -0.2), -0.2)
    inside = ndimage.binary_erosion(m[4], iterations=2)
    smooth = inside & (np.abs(ndimage.laplace(x[4])) < 0.05)
    np.testing.assert_allclose(again[smooth], x[4][smooth], atol=0.06)


def test_masks_stay_masks() -> None:
    _, m = head(7.0, 0.01, 0.0)
    found = Midline(7.0, 0.01, 0.0).mirrored(m[5], order=0)
    assert set(np.unique(found)) == {0.0, 1.0}
    assert np.mean(found == m[5]) > 0.98


def test_a_head_without_brain_and_a_single_slice() -> None:
    x, m = head(5.0, 0.0, 0.0)
    assert find_midline(x, np.zeros_like(m)) == Midline()
    assert find_midline(x[:0], m[:0]) == Midline()
    assert find_midline(x[:1], m[:1]).angle == pytest.approx(5.0, abs=2.0)
