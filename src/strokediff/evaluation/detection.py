"""Lesion by lesion: which true lesions were touched, and which found ones touch none.

A lesion is a set of voxels connected through faces, edges or corners (26 neighbours). A true lesion
is detected if at least one predicted voxel lies in it; a predicted one is false if it contains no
true voxel. Size plays no part, so that a small infarct counts as much as a large one.

    sensitivity = detected / true lesions, over all lesions of all patients
    false positives a patient = false lesions / patients
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detection:
    """Numbers of lesions: the true ones, those of them that were detected, and the false ones."""

    n_true: int
    n_detected: int
    n_false: int


def detect(*, mask_pred: NDArray[Any], mask_true: NDArray[Any]) -> Detection:
    """Count the lesions of two masks (X, Y, Z) on one grid; raises `ValueError` on other shapes.

    >>> true, pred = np.zeros((2, 9, 9, 1), dtype=bool)
    >>> true[0:2, 0:2] = true[6:8, 6:8] = pred[1:3, 1:3] = pred[5, 0] = True
    >>> detect(mask_pred=pred, mask_true=true)
    Detection(n_true=2, n_detected=1, n_false=1)
    """
    if mask_pred.shape != mask_true.shape:
        raise ValueError(f"expected masks of one shape, got {mask_pred.shape}, {mask_true.shape}")
    pred, true = mask_pred.astype(bool), mask_true.astype(bool)
    n_true, n_detected = _touched(true, pred)
    n_pred, n_right = _touched(pred, true)
    return Detection(n_true=n_true, n_detected=n_detected, n_false=n_pred - n_right)


def _touched(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int]:
    """The number of lesions in `mask`, and of those that `other` touches."""
    labels, n = cc3d.connected_components(
        np.ascontiguousarray(mask), connectivity=26, return_N=True
    )
    return int(n), len(np.unique(labels[mask & other]))
