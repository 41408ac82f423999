"""An analytical head with known intracranial truth, sampled on any grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from strokediff.ct.volume import CT, Source

BRAIN_MM = np.array([66.0, 84.0, 62.0])
FORAMEN_Z_MM = -60.0


@dataclass(frozen=True)
class Head:
    """`volume` and its truth: `brain` and the whole `head`, and voxel centres `mm` (X, Y, Z, 3)."""

    volume: CT
    brain: NDArray[np.bool_]
    head: NDArray[np.bool_]
    mm: NDArray[np.float64]

    def ball(self, centre_mm: tuple[float, float, float], radius_mm: float) -> NDArray[np.bool_]:
        """Voxels within a sphere."""
        return np.linalg.norm(self.mm - np.array(centre_mm), axis=-1) < radius_mm


def _ellipsoid(mm: NDArray[np.float64], grow_mm: float) -> NDArray[np.bool_]:
    return (((mm / (BRAIN_MM + grow_mm)) ** 2).sum(-1)) < 1


def build_head(
    *,
    spacing_mm: float = 1.6,
    slice_mm: float = 5.0,
    tilt_deg: float = 0.0,
    z_mm: tuple[float, float] = (-85.0, 85.0),
    seed: int = 0,
) -> Head:
    """Skull 6 mm, fat and scalp around it, orbits in front, a bony spinal canal and neck below."""
    nx, ny = round(190 / spacing_mm), round(230 / spacing_mm)
    nz = round((z_mm[1] - z_mm[0]) / slice_mm)
    affine = np.diag([spacing_mm, spacing_mm, slice_mm, 1.0])
    affine[1, 2] = slice_mm * np.tan(np.radians(tilt_deg))
    middle = affine[:3, :3] @ (np.array([nx, ny, nz]) - 1) / 2
    affine[:3, 3] = np.array([0, 0, (z_mm[0] + z_mm[1]) / 2]) - middle
    index = np.stack(np.meshgrid(*map(np.arange, (nx, ny, nz)), indexing="ij"), axis=-1)
    mm = index @ affine[:3, :3].T + affine[:3, 3]
    brain, head = _ellipsoid(mm, 0), _ellipsoid(mm, 15)
    x, y, z = np.moveaxis(mm, -1, 0)
    from_axis = np.hypot(x, y + 10)
    below = z < 0
    head |= below & (np.hypot(x, y) < 62)
    hu = np.full(brain.shape, -1000.0)
    hu[head] = 50.0
    hu[_ellipsoid(mm, 10)] = -90.0
    hu[below & head & (y < -40) & ~_ellipsoid(mm, 6)] = 55.0
    for side in (-1, 1):
        eye = np.linalg.norm(mm - np.array([30.0 * side, 88, -40]), axis=-1)
        hu[(eye < 20) & head] = -80.0
        hu[(eye < 12) & head] = 12.0
    hu[_ellipsoid(mm, 6)] = 1000.0
    hu[below & (z < FORAMEN_Z_MM + 12) & (from_axis < 24) & ~_ellipsoid(mm, 6)] = 800.0
    hu[brain] = 34.0
    hu[(from_axis < 12) & (z < FORAMEN_Z_MM + 12)] = 30.0
    hu[((mm / np.array([10.0, 35, 14])) ** 2).sum(-1) < 1] = 8.0
    noise = np.random.default_rng(seed).normal(0, 4, hu.shape)
    hu = np.where(head, hu + noise, hu).astype(np.float32)
    source = Source(path=Path("head"), kind="array", shape=hu.shape, affine=affine)
    return Head(CT.from_source_array(hu, source), brain, head, mm)


@pytest.fixture(scope="session")
def make_head() -> Callable[..., Head]:
    return build_head


@pytest.fixture(scope="session")
def head() -> Head:
    return build_head()
