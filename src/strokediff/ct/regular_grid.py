"""An even grid for a volume whose slices are unevenly spaced, which NIfTI cannot describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import CT

MAX_SLICES = 400
_ROUNDED = 0.02
"""Slices of a micrometre more or less than the others are no reason for one more."""


@dataclass(frozen=True)
class RegularGrid:
    """Even slices from the first to the last slice of a volume, on its canonical axes.

    `affine` (4, 4) maps the new indices to RAS+ mm. New slice k lies at fractional slice
    `positions[k]` of the volume, a number in [0, Z - 1] that is linear between two slices.
    """

    affine: NDArray[np.float64]
    positions: NDArray[np.float64]
    increment_mm: float

    def nearest(self, array: NDArray[Any]) -> NDArray[Any]:
        """Resample a mask (X, Y, Z): each new slice copies the closest scanned one."""
        return array[:, :, np.minimum(self.owners, array.shape[2] - 1)]

    @property
    def owners(self) -> NDArray[np.intp]:
        """The scanned slice that each new one copies."""
        return owners_of(self.positions)

    def back(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Undo `nearest`: each scanned slice has what most of its new ones show.

        Where as many show one as another it is the new slice closest to it that counts.
        """
        count = int(self.positions.max() + 0.5) + 1
        closest = np.abs(self.positions[None] - np.arange(count)[:, None]).argmin(axis=1)
        out = labels[:, :, closest].copy()
        for k in range(count):
            own = labels[:, :, self.owners == k]
            if own.shape[2] < 2 or (own == own[:, :, :1]).all():
                continue
            values = np.unique(own)
            votes = np.stack([(own == v).sum(axis=2) + 0.5 * (out[:, :, k] == v) for v in values])
            out[:, :, k] = values[votes.argmax(axis=0)]
        return out

    def linear(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Resample HU or probabilities (X, Y, Z) linearly between the two slices around."""
        low = np.minimum(np.floor(self.positions).astype(int), max(array.shape[2] - 2, 0))
        high = np.minimum(low + 1, array.shape[2] - 1)
        weight = (self.positions - low).astype(np.float32)
        out = np.empty((*array.shape[:2], len(low)), dtype=np.float32)
        for k, (a, b, w) in enumerate(zip(low, high, weight, strict=True)):
            out[:, :, k] = (1 - w) * array[:, :, a] + w * array[:, :, b]
        return out

    def describe(self) -> str:
        """What a NIfTI header can say about the grid (its field holds 79 characters)."""
        return f"regular grid {self.increment_mm:.2f} mm from uneven slices"


def regular_grid(volume: CT) -> RegularGrid:
    """The even grid of `volume`: its smallest slice increment, at most 400 slices.

    The new slices tile exactly the tissue that the old ones stand for, half an increment beyond
    the first and last included (those copy the end slice), so that a mask keeps its volume. A
    volume with even slices gives its own grid back.
    """
    n_slices = volume.hu.shape[2]
    if volume.slice_origins_mm is None:
        increment = float(volume.slice_increments_mm[0])
        return RegularGrid(volume.affine, np.arange(n_slices, dtype=np.float64), increment)
    along = slice_coordinates_mm(volume)
    new, increment = even_places_mm(along)
    travel = (volume.slice_origins_mm[-1] - volume.slice_origins_mm[0]) / (along[-1] - along[0])
    affine = volume.affine.copy()
    affine[:3, 2] = travel * increment
    affine[:3, 3] = volume.slice_origins_mm[0] + travel * (new[0] - along[0])
    return RegularGrid(affine, np.interp(new, along, np.arange(n_slices)), increment)


def even_places_mm(along: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Where the even slices lie for scanned ones at `along` (Z,), ascending mm; their increment."""
    steps = np.diff(along)
    bottom, top = along[0] - steps[0] / 2, along[-1] + steps[-1] / 2
    count = min(int(np.ceil((top - bottom) / steps.min() - _ROUNDED)), MAX_SLICES)
    increment = float((top - bottom) / count)
    return bottom + increment * (np.arange(count) + 0.5), increment


def owners_of(positions: NDArray[np.float64]) -> NDArray[np.intp]:
    """The scanned slice closest to each fractional one.

    A half rounds up, so that ties do not depend on whether the index is even.
    """
    return np.floor(positions + 0.5).astype(np.intp)


def owners_of_steps(steps_mm: NDArray[np.float64]) -> NDArray[np.intp]:
    """The scanned slice that each even one copies, from the steps between scanned ones (Z - 1,).

    >>> owners_of_steps(np.array([1.0, 3.0])).tolist()
    [0, 1, 1, 2, 2, 2]
    """
    along = np.concatenate([[0.0], np.cumsum(steps_mm)])
    new, _ = even_places_mm(along)
    return owners_of(np.interp(new, along, np.arange(len(along))))


def slice_coordinates_mm(volume: CT) -> NDArray[np.float64]:
    """Where each slice lies along the slice normal (Z,), mm, ascending from the first."""
    normal = np.cross(volume.affine[:3, 0], volume.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    if volume.slice_origins_mm is None:
        step = abs(float(normal @ volume.affine[:3, 2]))
        return np.arange(volume.hu.shape[2], dtype=np.float64) * step
    along = (volume.slice_origins_mm - volume.slice_origins_mm[0]) @ normal
    return np.asarray(np.abs(along), dtype=np.float64)
