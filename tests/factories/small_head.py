"""A small head with all that a histogram knows: air, scalp with fat, bone, brain and CSF, noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SHAPE = (64, 64, 16)
SPACING_MM = (2.8, 2.8, 8.0)
AFFINE = np.diag([*SPACING_MM, 1.0])


@lru_cache(maxsize=1)
def _layers() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from the head's middle, 1 at the skin, and that of the ventricles."""
    x, y, z = (np.arange(n) - (n - 1) / 2 for n in SHAPE)
    grid = np.meshgrid(x, y, z + 5.0, indexing="ij")
    radii = np.array([23.0, 28.0, 10.0])
    head = np.sqrt(sum((axis / r) ** 2 for axis, r in zip(grid, radii, strict=True)))
    return head, head * 4


def brain_of() -> NDArray[np.bool_]:
    """Where the brain is."""
    return _layers()[0] < 0.76


def small_head(noise_hu: float = 4.0, seed: int = 0) -> NDArray[np.float32]:
    """HU (64, 64, 16) on RAS axes, the vertex in view; `AFFINE` makes it as large as a head."""
    head, ventricle = _layers()
    hu = np.full(SHAPE, -1000.0)
    for below, value in ((1.04, -500), (1.0, 30), (0.96, -90), (0.9, 900), (0.76, 36)):
        hu[head < below] = value
    hu[ventricle < 1] = 6
    hu[head.argmin() // (SHAPE[1] * SHAPE[2]), 5:8, 4] = -850  # a sinus
    return (hu + np.random.default_rng(seed).normal(0, noise_hu, SHAPE)).astype(np.float32)


def outside_circle(radius: float = 31.0) -> NDArray[np.bool_]:
    """The part of the image that a scanner's circle of reconstruction leaves out."""
    x, y = (np.arange(n) - (n - 1) / 2 for n in SHAPE[:2])
    away = np.hypot(x[:, None], y[None, :]) > radius
    return np.repeat(away[:, :, None], SHAPE[2], axis=2)
