"""Where a network's slices come from and what it finds goes: a scan, or any other grid."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strokediff.cohort.brain_slices import with_brain
from strokediff.ct.brain import BrainMask, Bridge
from strokediff.ct.grid import GridConfig, NetworkSlices, SliceGrid
from strokediff.ct.surroundings import Surroundings
from strokediff.ct.volume import CT
from strokediff.inference.estimator import Slices


class Place(Protocol):
    """A head as the network sees it (`slices`), and as masks are measured on it (`ct`, `brain`)."""

    ct: CT
    brain: NDArray[np.bool_]
    slices: Slices

    def on_grid(self, values: Tensor, elsewhere: float = 0.0) -> NDArray[np.float32]:
        """Values (S, 1, H, W) of the slices on the head's grid (X, Y, Z); others `elsewhere`."""
        ...

    def bridged(self, prob: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
        """`prob` (X, Y, Z), foreseen from its neighbours in slices that cannot be used."""
        ...


class Scan:
    """A scan on its own grid; the slices that show enough brain and can be used are seen."""

    def __init__(
        self, ct: CT, found: BrainMask, grid: GridConfig, surroundings: Surroundings, seed: int
    ) -> None:
        self.ct, self.found, self.brain = ct, found, found.mask
        self.grid = SliceGrid(grid, ct, found.mask)
        self.bridge = Bridge.over(ct, found.unusable)
        image = self.grid.image(self.bridge.mix(ct.hu))
        self.slices = self._seen(image, grid, surroundings, seed)

    def through(self, grid: GridConfig, surroundings: Surroundings) -> Scan:
        """The same scan as another network sees it."""
        return Scan(self.ct, self.found, grid, surroundings, self.slices.seed)

    def on_slices(self, values: NDArray[np.float32], elsewhere: float = 0.0) -> Tensor:
        """Values (X, Y, Z) of the scan's grid on the slices (S, 1, H, W); `elsewhere` outside."""
        every = self.grid.sampled(values, elsewhere)
        return torch.from_numpy(every[list(self.slices.keys)])[:, None]

    def on_grid(self, values: Tensor, elsewhere: float = 0.0) -> NDArray[np.float32]:
        """Values (S, 1, H, W) on the scan's grid (X, Y, Z), mixed across unusable slices."""
        every = np.full(self.grid.mask.shape, elsewhere, np.float32)
        every[list(self.slices.keys)] = values[:, 0].numpy()
        return self.bridge.mix(self.grid.to_volume(every))

    def bridged(self, prob: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
        """`prob` (X, Y, Z), foreseen from its neighbours in slices that cannot be used."""
        return self.bridge.probability(prob, cut)

    def _seen(
        self, image: NetworkSlices, grid: GridConfig, surroundings: Surroundings, seed: int
    ) -> Slices:
        used = np.setdiff1d(with_brain(image.m), self.bridge.left_out)
        thickness = self.bridge.thickness_mm(self.ct.slice_increments_mm)[used]
        depth = float(np.median(self.ct.slice_increments_mm))
        seen = surroundings.seen(image.x, image.m, depth)[used]
        return Slices(
            x_0=torch.from_numpy(seen[:, :1]),
            m=torch.from_numpy(image.m[used])[:, None],
            keys=used.tolist(),
            seed=seed,
            pixel_ml=torch.from_numpy(thickness) * grid.spacing_mm**2 / 1000,
            beside=torch.from_numpy(seen[:, 1:]) if surroundings else None,
        )
