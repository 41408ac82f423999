"""The plane between the hemispheres, and a head mirrored about it.

An infarct darkens one hemisphere, and its mirror image is the normal for it. On the network's grid
the plane cuts slice z in the line n . p = s(z), with n = (cos angle, sin angle) over (columns,
rows) and s linear in z, since heads lie turned (yaw) and leaning (roll). The best line is the one
about which the head is most alike: least mean |f - f mirrored| over f = (1 + x) m, an absolute
difference because a lesion must not pull it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from strokediff.ct.arrays import Array

_ANGLES = np.arange(-24.0, 24.1, 4.0)
_OFFSETS = np.arange(-0.08, 0.081, 0.02)
"""Where the search starts, in degrees and in sides of the grid."""
SEARCHED = 10
"""Slices that are compared, evenly spaced over those with brain."""
COARSE, FINE = 48, 96
"""Pixels along a side, about, where the search starts and where it ends: a finer grid adds time."""
STEP = (4.0, 0.02, 0.02)
"""First step of the search from there: degrees, and sides of the grid."""


@dataclass(frozen=True)
class Midline:
    """`angle` in degrees; `offset` from the grid's middle in sides of the grid; `slope` is how far
    the offset moves from the first slice to the last.
    """

    angle: float = 0.0
    offset: float = 0.0
    slope: float = 0.0

    def mirrored(self, value: NDArray[Any], along: float = 0.0, order: int = 1) -> Array:
        """A slice (S, S) mirrored about the plane; 0 where its mirror image lies off the grid.

        `along` is where it lies, from -1/2, the first slice, to 1/2, the last.
        """
        offset = (self.offset + self.slope * along) * value.shape[-1]
        return _mirrored(value, self.angle, offset, order)


def find_midline(x: NDArray[Any], m: NDArray[Any]) -> Midline:
    """The midline of a head: slices x (Z, S, S) in [-1, 1] with brain masks m, in order.

    A head without brain has the middle of the grid. The answer does not depend on threads.
    """
    shown = np.flatnonzero(m.any(axis=(1, 2)))
    if not len(shown):
        return Midline()
    used = shown[np.unique(np.linspace(0, len(shown) - 1, SEARCHED).round().astype(int))]
    along = [place(k, len(m)) for k in used]
    f = ((1.0 + x[used]) * m[used]).astype(np.float32)
    small, f = (_smaller(f, max(1, f.shape[-1] // side)) for side in (COARSE, FINE))
    start = min(
        ((angle, offset, 0.0) for angle in _ANGLES for offset in _OFFSETS),
        key=lambda line: _unlikeness(line, small, along),
    )
    simplex = np.array([start] + [_moved(start, axis) for axis in range(3)])
    options = {"initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-5, "maxfev": 120}
    found = optimize.minimize(
        _unlikeness, start, args=(f, along), method="Nelder-Mead", options=options
    )
    angle, offset, slope = (float(value) for value in found.x)
    return Midline(angle, offset, slope)


def place(k: int, slices: int) -> float:
    """Where slice k of so many lies, from -1/2, the first, to 1/2, the last."""
    return k / (slices - 1) - 0.5 if slices > 1 else 0.0


def _moved(start: tuple[float, float, float], axis: int) -> tuple[float, ...]:
    return tuple(value + STEP[i] * (i == axis) for i, value in enumerate(start))


def _unlikeness(line: Any, f: Array, along: Sequence[float]) -> float:
    """Mean |f - f mirrored| over the slices f (N, S, S), which lie at `along` in -1/2 ... 1/2."""
    angle, offset, slope = line
    side = f.shape[-1]
    total = [
        np.abs(value - _mirrored(value, angle, (offset + slope * z) * side, 1)).mean()
        for value, z in zip(f, along, strict=True)
    ]
    return float(np.mean(total))


def _mirrored(value: NDArray[Any], angle: float, offset: float, order: int) -> Array:
    """p -> p - 2 (n . (p - c) - s) n about the grid's middle c, on (rows, columns)."""
    n = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
    flip = np.eye(2) - 2.0 * np.outer(n, n)
    middle = (np.array(value.shape) - 1) / 2
    shift = middle - flip @ middle + 2.0 * offset * n
    moved = ndimage.affine_transform(value.astype(np.float32), flip, shift, order=order)
    return np.asarray(moved, np.float32)


def _smaller(f: Array, by: int) -> Array:
    """Means of `by` x `by` pixels; rows and columns that are left over at the end are left out."""
    side = f.shape[-1] // by
    cut = f[:, : side * by, : side * by]
    return np.asarray(cut.reshape(len(f), side, by, side, by).mean(axis=(2, 4)))
