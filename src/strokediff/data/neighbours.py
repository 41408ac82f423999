"""The slices beside a slice, for networks that see more than one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOUR_MM = 5.0
"""How far apart the slices are that a network sees together, on thick and thin slices alike."""


def neighbour_step(slice_mm: float | None) -> int:
    """How many slices make up `NEIGHBOUR_MM`, at least 1; 1 where the spacing is unknown."""
    return max(1, round(NEIGHBOUR_MM / slice_mm)) if slice_mm else 1


def neighbour_offsets(count: int, step: int) -> list[int]:
    """Offsets of `count` neighbours to either side: -step, step, -2 step, 2 step, ..."""
    return [side * n * step for n in range(1, count + 1) for side in (-1, 1)]


def beside(x: NDArray[np.float32], count: int, step: int) -> NDArray[np.float32]:
    """Slices (Z, H, W) -> their neighbours (Z, 2 count, H, W), nearest first; 0 beyond the ends."""
    out = np.zeros((len(x), 2 * count, *x.shape[1:]), dtype=np.float32)
    for channel, offset in enumerate(neighbour_offsets(count, step)):
        here = np.arange(max(0, -offset), min(len(x), len(x) - offset))
        out[here, channel] = x[here + offset]
    return out
