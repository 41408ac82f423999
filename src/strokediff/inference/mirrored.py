"""Every other draw sees the head mirrored left to right: twice the views for the same cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from strokediff.inference.estimator import Context, Sampler, Slices

LEFT_RIGHT = -1
"""The axis of the network's grid that runs along x, see `NetworkSlices`."""


@dataclass(frozen=True)
class Mirrored:
    """Draws of odd number are made on the mirrored slice, and mirrored back.

    Training flips slices in the plane, so either view is as good as the other. A network that
    gives the same answer to both views is seen from either side:

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.tensor([[[[1.0, -1.0]]]])
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> Mirrored(Direct()).draw(slices.rows([0, 0], draws=[0, 1]), context).flatten(1).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """

    inner: Sampler

    @property
    def name(self) -> str:
        """The inner sampler's."""
        return self.inner.name

    def evaluations(self) -> int:
        """As the inner sampler."""
        return self.inner.evaluations()

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, K, H, W), one draw a row."""
        odd = torch.tensor([n % 2 == 1 for n in slices.numbers()])
        beside = None if slices.beside is None else _flipped(slices.beside, odd)
        x_0, m = _flipped(slices.x_0, odd), _flipped(slices.m, odd)
        seen = replace(slices, x_0=x_0, m=m, beside=beside)
        return _flipped(self.inner.draw(seen, context), odd)


def _flipped(values: Tensor, rows: Tensor) -> Tensor:
    return torch.where(rows[:, None, None, None], values.flip(LEFT_RIGHT), values)
