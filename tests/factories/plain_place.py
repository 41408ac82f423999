"""A head whose grid is the network's, for what is read out of an estimate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strokediff.ct.volume import CT
from strokediff.inference.estimator import Slices

SIDE, DEPTH = 12, 4
VOXEL_ML = 2.0 * 2.0 * 5.0 / 1000


class Plain:
    """A head whose grid is the network's; slice 0 cannot be used, and takes what lies above."""

    def __init__(self) -> None:
        shape = (SIDE, SIDE, DEPTH)
        self.ct = CT(np.zeros(shape), np.diag([2.0, 2.0, 5.0, 1.0]))
        self.brain = np.ones(shape, dtype=bool)
        self.brain[-1] = False
        ones = torch.ones(DEPTH - 1, 1, SIDE, SIDE)
        self.slices = Slices(ones, ones, [1, 2, 3], seed=0)

    def on_grid(self, values: Tensor, elsewhere: float = 0.0) -> NDArray[np.float32]:
        every = np.full((DEPTH, SIDE, SIDE), elsewhere, np.float32)
        every[self.slices.keys] = values[:, 0].numpy()
        return np.ascontiguousarray(every.transpose(2, 1, 0))

    def bridged(self, prob: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
        prob = prob.copy()
        prob[:, :, 0] = prob[:, :, 1]
        return prob
