"""Across slices that cannot be used: a lesion there is foreseen from the slices beside them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.arrays import Array, Mask
from strokediff.ct.brain.shapes import distance_across, mix, shift_per_mm, slab_middles_mm
from strokediff.ct.volume import CT

EDGE_MM = 4.0
"""So far outside an interpolated lesion its probability is 0, and so far inside 1."""


@dataclass(frozen=True)
class Bridge:
    """Steps over the slices `left_out` of one volume, which lie at `at_mm` (Z,) along the normal.

    `shift_per_mm` is how far a patient point moves in-plane per mm going up, in mm.
    """

    left_out: tuple[int, ...]
    at_mm: NDArray[np.float64]
    pitch_mm: tuple[float, float]
    shift_per_mm: tuple[float, float]

    @classmethod
    def over(cls, volume: CT, left_out: Collection[int]) -> Bridge:
        """The bridge for slices of `volume`."""
        at_mm = slab_middles_mm(volume.slice_increments_mm, 1)
        ordered = tuple(sorted(left_out))
        return cls(ordered, at_mm, volume.pixel_spacing_mm, shift_per_mm(volume))

    def mix(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """`values` (X, Y, Z), linear in z across what is left out."""
        return mix(values, self.left_out, self.at_mm)

    def probability(self, prob: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
        """`prob` (X, Y, Z), what is left out by its distance to the interpolated shape.

        The shape is that of prob >= `cut`: the pixels deepest in both neighbours' shapes, as many
        as make their areas change linearly, so that volume is neither gained nor lost where a
        lesion ends. The result is above `cut` in it, rises to 1 and falls to 0 over EDGE_MM.
        """
        if not self.left_out:
            return prob
        bridged, shapes = prob.copy(), prob >= cut
        for k in self.left_out:
            where = self.at_mm, self.pitch_mm, self.shift_per_mm
            distance = distance_across(shapes, k, self.left_out, *where, apart=True)
            bridged[:, :, k] = 0.0
            if distance is not None:
                level = self._level(distance, shapes, k)
                depth = np.clip((level - distance) / EDGE_MM, -1, 1)
                bridged[:, :, k] = cut + np.where(depth > 0, 1 - cut, cut) * depth
        return bridged

    def _level(self, distance: Array, shapes: Mask, k: int) -> float:
        """The distance below which lies the area that the neighbours' areas foresee."""
        areas = np.count_nonzero(shapes, axis=(0, 1)).astype(np.float32)[None, None]
        count = round(float(self.mix(areas)[0, 0, k]))
        values = np.unique(distance)
        below = np.searchsorted(np.sort(distance, axis=None), values, side="right")
        # Of equal distances all or none are taken, whichever comes nearer to the area.
        n = int(np.abs(below - count).argmin())
        if count < below[0] / 2:
            return float(values[0]) - 1.0
        return float(values[n : n + 2].mean())

    def thickness_mm(self, increments_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Increments (Z,) with those left out given to the slices that stand in for them."""
        one = np.eye(len(increments_mm), dtype=np.float32)[None]
        return np.asarray(increments_mm @ self.mix(one)[0].T, dtype=np.float64)
