"""Slabs too noisy for their contours are smoothed in the plane; quiet ones stay as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import Array

CELL_NOISE_HU = 10.0
"""Noise of a cell from which on single cells of brain look like fat or bone: 34 HU lies 59 HU
above fat. Real heads of usual kernels have 2 to 7 here."""
QUIET_HU = 8.0
"""What is left of the noise after smoothing."""
NEAR_SOFT_HU = (-150.0, 200.0)
"""Noise is measured where both of two neighbours lie in between."""
SOFT_CLIP_HU, BONE_CLIP_HU = (-300.0, 186.0), (-300.0, 1000.0)
"""Soft tissue is smoothed with bone cut to as far above the inner table's 110 HU as brain (34 HU)
lies below, so that the edge stays where it is; bone as a whole, so that thin bone stays bone."""
SMOOTH_BONE_HU, PUT_BACK_HU = 400.0, 300.0
"""Smoothed bone above the first is put back at the second."""


def quieten(hu: Array) -> tuple[Array, frozenset[int]]:
    """`hu` (X, Y, Z) with slabs smoothed whose noise exceeds CELL_NOISE_HU, and which those are.

    A Gaussian of standard deviation s cells leaves 1 / (2 sqrt(pi) s) of white noise.
    """
    noise = np.array([slab_noise(hu[:, :, k]) for k in range(hu.shape[2])])
    # Where a single slab stands out it shows the edges of the skull base, or is unusable.
    noisy = np.flatnonzero(ndimage.minimum_filter1d(noise, 5, mode="nearest") > CELL_NOISE_HU)
    if not noisy.size:
        return hu, frozenset()
    quiet = hu.copy()
    for k in noisy:
        sigma = noise[k] / QUIET_HU / (2 * np.sqrt(np.pi))
        soft, bone = (
            ndimage.gaussian_filter(np.clip(hu[:, :, k], *clip), sigma)
            for clip in (SOFT_CLIP_HU, BONE_CLIP_HU)
        )
        quiet[:, :, k] = np.where(bone > SMOOTH_BONE_HU, PUT_BACK_HU, soft)
    return quiet, frozenset(int(k) for k in noisy)


def slab_noise(hu: NDArray[np.float32]) -> float:
    """Standard deviation of the noise of soft tissue in a slice (X, Y), HU; 0 if it shows none."""
    soft = (hu > NEAR_SOFT_HU[0]) & (hu < NEAR_SOFT_HU[1])
    steps = np.diff(hu, axis=0)[soft[1:] & soft[:-1]]
    if steps.size < 500:
        return 0.0
    return noise_of(steps)


def noise_of(differences: NDArray[np.float32]) -> float:
    """Standard deviation of a pixel's noise, from differences of neighbours, by their median."""
    if differences.size == 0:
        return 0.0
    return float(1.4826 / np.sqrt(2) * np.median(np.abs(differences)))
