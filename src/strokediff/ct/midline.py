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
class Reflection:
    """p -> matrix @ p + shift, with p = (row, column) in pixels: where p's mirror image lies."""

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]

    def __call__(self, value: NDArray[Any], order: int = 1) -> Array:
        """A slice (S, S) mirrored; 0 where its mirror image lies off the grid."""
        moved = ndimage.affine_transform(
            value.astype(np.float32), self.matrix, self.shift, order=order
        )
        return np.asarray(moved, np.float32)

    def moved(
        self, matrix: NDArray[np.float64], shift: NDArray[np.float64], side: int
    ) -> Reflection:
        """That of a slice whose pixels p went to matrix @ (p - c) + c + shift, c the grid's middle.

        >>> upright, quarter = Midline().reflection(9), np.array([[0.0, -1.0], [1.0, 0.0]])
        >>> upright.moved(quarter, np.zeros(2), side=9).matrix.round().tolist()
        [[-1.0, 0.0], [0.0, 1.0]]
        """
        c = np.full(2, (side - 1) / 2)
        to = c + shift - matrix @ c
        turned = matrix @ self.matrix @ np.linalg.inv(matrix)
        return Reflection(turned, matrix @ self.shift + to - turned @ to)


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
        return self.reflection(value.shape[-1], along)(value, order)

    def reflection(self, side: int, along: float = 0.0) -> Reflection:
        """The mirroring of the slice that lies at `along`, on a grid of side x side pixels."""
        return _reflection(self.angle, (self.offset + self.slope * along) * side, side)


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
    return _reflection(angle, offset, value.shape[-1])(value, order)


def _reflection(angle: float, offset: float, side: int) -> Reflection:
    """p -> p - 2 (n . (p - c) - s) n about the grid's middle c, on (rows, columns)."""
    n = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
    flip = np.eye(2) - 2.0 * np.outer(n, n)
    middle = np.full(2, (side - 1) / 2)
    return Reflection(flip, middle - flip @ middle + 2.0 * offset * n)


def _smaller(f: Array, by: int) -> Array:
    """Means of `by` x `by` pixels; rows and columns that are left over at the end are left out."""
    side = f.shape[-1] // by
    cut = f[:, : side * by, : side * by]
    return np.asarray(cut.reshape(len(f), side, by, side, by).mean(axis=(2, 4)))
