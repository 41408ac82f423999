"""A scan as its checks see it: the brain in HU on a coarse grid, whatever the scanner's pixels."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.brain import BrainMask
from strokediff.ct.brain.quieten import noise_of
from strokediff.ct.grid import GridConfig, SliceGrid
from strokediff.ct.volume import CT

Values = NDArray[np.float32]
Masks = NDArray[np.bool_]

GRID = GridConfig(size=96, spacing_mm=2.0, window_level=40.0, window_width=120.0)
"""-20 to 100 HU: what scans keep that were saved as pictures."""
EDGE_MM = 6.0
"""So near to the skull a slice shows bone in part."""
LEAST_MM2 = 2000.0
"""Smaller sections of the brain are at the vertex and the skull base, and say little."""
LAG_MM = 1.0


class Examined:
    """`hu` and `brain` (N, S, S) on `GRID` in the N slices that show enough brain and can be used.

    `core` is the brain further than `EDGE_MM` from its edge.
    """

    def __init__(self, ct: CT, found: BrainMask) -> None:
        self.ct, self.found = ct, found
        area = np.count_nonzero(found.mask, axis=(0, 1)) * np.prod(ct.pixel_spacing_mm)
        usable = np.setdiff1d(np.flatnonzero(area >= LEAST_MM2), found.unusable_slices)
        self.slices: NDArray[np.intp] = usable

    @cached_property
    def _on_grid(self) -> tuple[Values, Masks]:
        image = SliceGrid(GRID, self.ct, self.found.mask).image(self.ct.hu)
        hu = image.x[self.slices] * (GRID.window_width / 2) + GRID.window_level
        return hu, image.m[self.slices] > 0

    @property
    def hu(self) -> Values:
        """HU where there is brain."""
        return self._on_grid[0]

    @property
    def brain(self) -> Masks:
        """Where there is brain."""
        return self._on_grid[1]

    @cached_property
    def depth_mm(self) -> Values:
        """How far inside the brain's edge, in the plane."""
        every = [ndimage.distance_transform_edt(one) * GRID.spacing_mm for one in self.brain]
        return np.array(every, np.float32).reshape(self.brain.shape)

    @cached_property
    def core(self) -> Masks:
        """The brain further than `EDGE_MM` from its edge."""
        return self.depth_mm > EDGE_MM

    @cached_property
    def smooth(self) -> Values:
        """`hu` without most of its noise: a Gaussian of 3 mm, the brain's median beyond it."""
        middle = float(np.median(self.hu[self.core])) if self.core.any() else 0.0
        filled = np.where(self.brain, self.hu, middle)
        return np.asarray(ndimage.gaussian_filter(filled, (0, 1.5, 1.5)), np.float32)

    @cached_property
    def noise_hu(self) -> Values:
        """Standard deviation of the noise on the grid, a slice; (N,)."""
        steps, both = self.hu[:, 1:] - self.hu[:, :-1], self.core[:, 1:] & self.core[:, :-1]
        return np.array([noise_of(s[b]) for s, b in zip(steps, both, strict=True)], np.float32)

    @cached_property
    def own_noise_hu(self) -> float:
        """The same between pixels of the scan's own, `LAG_MM` apart; the median over slices."""
        lag = max(1, round(LAG_MM / self.ct.pixel_spacing_mm[0]))
        found = []
        for k in self.slices:
            hu, brain = self.ct.hu[:, :, k], self.found.mask[:, :, k]
            steps = (hu[lag:] - hu[:-lag])[brain[lag:] & brain[:-lag]]
            found.append(noise_of(steps))
        return float(np.median(found)) if found else 0.0
