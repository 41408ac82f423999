"""Laws: the side is the patient's, however the head lies turned, leaning or off the middle."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.ct.sides import right_half, side_of
from strokediff.ct.volume import CT

SHAPE = (90, 100, 24)


def turned(yaw: float, roll: float, off: float) -> np.ndarray:
    """Coordinates (3, X, Y, Z) of a head that is turned (degrees) and lies off the middle, mm."""
    x, y, z = (g.astype(float) for g in np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]])
    p = np.stack(np.broadcast_arrays(2 * (x - 45) - off, 2 * (y - 50), 6 * (z - 12)))
    a, b = np.radians([yaw, roll])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return np.einsum("ij,jxyz->ixyz", about_y @ about_z, p)


@pytest.mark.parametrize("yaw", [-20, 0, 20])
@pytest.mark.parametrize("roll", [-15, 0, 15])
@pytest.mark.parametrize("off", [-20, 20])
def test_a_lesion_15_mm_off_the_middle_is_on_its_side(yaw: float, roll: float, off: float) -> None:
    u, v, w = turned(yaw, roll, off)
    brain = (u / 55) ** 2 + (v / 75) ** 2 + (w / 60) ** 2 < 1
    hu = np.where(brain, 35.0, -1000.0) + np.random.default_rng(0).normal(0, 2, SHAPE)
    right = right_half(CT(hu, np.diag([2.0, 2.0, 6.0, 1.0])), brain)
    for at, name in ((15, "right"), (-15, "left"), (0, "both")):
        mask = (u - at) ** 2 + (v - 30) ** 2 + (w - 10) ** 2 < 100
        assert side_of(mask, right, np.ones(SHAPE[2])) == name


def test_nothing_has_no_side_and_thick_slices_count_more() -> None:
    mask, right = np.zeros((2, 4, 3, 2), bool)
    right[2:] = True
    assert side_of(mask, right, np.ones(2)) is None
    mask[0, 0, 0] = mask[3, 0, 1] = True
    assert side_of(mask, right, np.array([1.0, 1.0])) == "both"
    assert side_of(mask, right, np.array([1.0, 20.0])) == "right"
