"""Which slices of a head are shown, and how a slice is turned towards the reader.

Arrays are canonical, `hu[x, y, z]` with x to the patient's right, y to the front and z to the top.
On the screen the patient's right is on the left and the front is up, as radiologists hang a CT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_LOW_HU, WINDOW_HIGH_HU = 20.0, 60.0
"""The stroke window W40 L40."""

MARGIN_MM = 14.0
"""Room left around the brain: skull and scalp."""

SOFT_HU = -200.0
"""Everything denser is head (or what holds it)."""


@dataclass(frozen=True)
class Crop:
    """The part of each slice that is shown: index ranges along x and y, and the pixel's size."""

    x: slice
    y: slice
    pixel_spacing_mm: tuple[float, float]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height on the screen, mm."""
        sx, sy = self.pixel_spacing_mm
        return (self.x.stop - self.x.start) * sx, (self.y.stop - self.y.start) * sy

    def axial(self, array: NDArray[Any], k: int) -> NDArray[Any]:
        """Slice k of (X, Y, Z) as (rows, columns) on the screen."""
        return array[self.x, self.y, k].T[::-1, ::-1]


def to_grey(hu: NDArray[Any]) -> NDArray[np.float32]:
    """HU to [0, 1] in the stroke window."""
    scaled = (hu.astype(np.float32) - WINDOW_LOW_HU) / (WINDOW_HIGH_HU - WINDOW_LOW_HU)
    return np.asarray(np.clip(np.nan_to_num(scaled), 0.0, 1.0))


def crop_to_head(
    hu: NDArray[Any],
    mask: NDArray[Any],
    brain: NDArray[Any] | None,
    pixel_spacing_mm: tuple[float, float],
) -> Crop:
    """The box around the brain with a margin, or around the head if there is no brain mask."""
    shown = brain.astype(bool) if brain is not None and brain.any() else _head(hu)
    shown = shown | mask.astype(bool)
    ranges = []
    for axis, spacing in enumerate(pixel_spacing_mm):
        size = shown.shape[axis]
        hit = np.flatnonzero(shown.any(axis=tuple({0, 1, 2} - {axis})))
        margin = int(np.ceil(MARGIN_MM / spacing))
        first, last = (hit[0], hit[-1]) if hit.size else (0, size - 1)
        ranges.append(slice(max(0, int(first) - margin), min(size, int(last) + margin + 1)))
    return Crop(x=ranges[0], y=ranges[1], pixel_spacing_mm=pixel_spacing_mm)


def choose_slices(
    hu: NDArray[Any],
    mask: NDArray[Any],
    brain: NDArray[Any] | None,
    most: int,
    wanted: Sequence[int] = (),
) -> list[int]:
    """At most `most` slices through the brain, evenly spread, from the bottom up.

    The slice with the largest area of lesion (of each label in `mask`) is always among them, and of
    those `wanted` as many as half of `most`, evenly spread too.
    """
    lesion = np.count_nonzero(mask, axis=(0, 1))
    tissue = brain if brain is not None and brain.any() else _head(hu)
    area = np.count_nonzero(tissue, axis=(0, 1))
    candidates = np.flatnonzero((area > 0.05 * area.max()) | (lesion > 0))
    if candidates.size == 0:
        candidates = np.arange(hu.shape[2])
    if candidates.size <= most:
        return [int(k) for k in candidates]
    chosen = candidates[_spread(candidates.size, most)]
    labels = (mask == label for label in range(1, int(mask.max()) + 1))
    must = [key_slice(own) for own in labels if own.any()]
    must += [wanted[n] for n in _spread(len(wanted), most // 2)]
    kept: list[int] = []
    for k in dict.fromkeys(must):
        if k not in chosen:
            free = [n for n, c in enumerate(chosen) if c not in kept]
            chosen[min(free, key=lambda n: abs(int(chosen[n]) - k))] = k
        kept.append(k)
    return sorted(int(k) for k in chosen)


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """At most `most` of `count` indices, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.intp))


def key_slice(mask: NDArray[Any]) -> int:
    """The slice with the largest area of lesion; the middle one if there is no lesion."""
    areas = np.count_nonzero(mask, axis=(0, 1))
    return int(areas.argmax()) if areas.any() else mask.shape[2] // 2


def _head(hu: NDArray[Any]) -> NDArray[np.bool_]:
    """Soft tissue and bone, without rows and columns that only a thin head rest reaches."""
    soft = hu > SOFT_HU
    for axis in range(2):
        profile = np.count_nonzero(soft, axis=tuple({0, 1, 2} - {axis}))
        thin = profile < 0.05 * max(1, profile.max())
        soft = soft & np.expand_dims(~thin, tuple({0, 1, 2} - {axis}))
    return np.asarray(soft)
