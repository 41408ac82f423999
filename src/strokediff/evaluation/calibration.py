"""Do probabilities of lesion mean what they say? Over all voxels of one image.

    Brier score = mean (p - y)^2                                   Brier 1950
    ECE = sum_b (n_b / n) |mean p in b - share of lesion in b|     Naeini et al. 2015

with B bins of equal width over [0, 1]. Most voxels of a head are surely no lesion, so both are
small numbers: compare methods on one grid, never across grids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


def brier(*, prob: NDArray[Any], mask_true: NDArray[Any]) -> float:
    """Mean squared error of the probabilities of lesion; 0 is perfect.

    >>> brier(prob=np.array([0.5, 1.0]), mask_true=np.array([True, True]))
    0.125
    """
    p, y = _flat(prob, mask_true)
    return float(np.mean((p - y) ** 2))


def expected_calibration_error(
    *, prob: NDArray[Any], mask_true: NDArray[Any], bins: int = BINS
) -> float:
    """How far the share of lesion is from the probability, weighted by voxels; 0 is perfect.

    Bin b holds (b - 1) / B < p <= b / B, and the first holds 0 too.
    """
    p, y = _flat(prob, mask_true)
    index = np.clip(np.ceil(p * bins).astype(np.intp) - 1, 0, bins - 1)
    said = np.bincount(index, p, bins)
    seen = np.bincount(index, y, bins)
    return float(np.abs(said - seen).sum() / p.size)


def _flat(
    prob: NDArray[Any], mask_true: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if prob.shape != mask_true.shape or not prob.size:
        raise ValueError(f"expected one shape with voxels, got {prob.shape}, {mask_true.shape}")
    p = prob.astype(np.float64).ravel()
    if not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(f"expected probabilities in [0, 1], got {p.min():g} to {p.max():g}")
    return p, mask_true.astype(bool).astype(np.float64).ravel()
