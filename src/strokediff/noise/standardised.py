"""SADPM's noise with every draw standardised: what its authors' journal script does.

    eps' = (eps - mean(eps)) / std(eps), over the pixels of the support, draw by draw

So the strength is 1, where equations (5)-(8) have it depend on the grid and on the images'
contrast (docs/noise.md). What else is wrong with them stays: a fixed pattern W^T (pi/2 - b) is in
every draw, and neighbours hardly correlate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.noise.base import CPU, Batches, Moments
from strokediff.noise.fourier import FourierNoise

MEASURED = 1024
"""Draws by which the moments are measured."""


class StandardisedFourierNoise:
    """Random-Fourier-feature noise of mean 0 and variance 1 over the pixels of each draw.

    >>> x = torch.randn(32, 8, 8, generator=torch.Generator().manual_seed(0)).cumsum(1) / 8
    >>> noise = StandardisedFourierNoise.fit(lambda: [(x, torch.ones_like(x))], D=100)
    >>> eps = noise.draw([1], (1, 8, 8))
    >>> round(abs(float(eps.mean())), 5), round(float(eps.square().mean()), 5)
    (0.0, 1.0)
    """

    name: ClassVar[str] = "fourier-standardised"
    symmetric: ClassVar[bool] = False
    derived: ClassVar[tuple[str, ...]] = FourierNoise.derived

    def __init__(self, printed: FourierNoise) -> None:
        self._printed = printed

    @classmethod
    def fit(
        cls, batches: Batches, *, D: int = 3000, margin: int = 0, seed: int = 0
    ) -> StandardisedFourierNoise:
        """As the printed one."""
        return cls(FourierNoise.fit(batches, D=D, margin=margin, seed=seed))

    @classmethod
    def load(
        cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> StandardisedFourierNoise:
        """Undo `settings` and `tensors`."""
        return cls(FourierNoise.load(settings, tensors))

    def settings(self) -> dict[str, Any]:
        """Those of the printed one."""
        return self._printed.settings()

    def tensors(self) -> dict[str, Tensor]:
        """Those of the printed one."""
        return self._printed.tensors()

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        """Equations (7) and (8), standardised over the support; 0 outside."""
        eps = self._printed.draw(seeds, shape, device)
        inside = self._printed.tensors()["support"] > 0
        # One by one: a reduction over a batch may add up in another order than over one sample.
        for one in eps[:, 0]:
            values = one[inside]
            centred = values - values.mean()
            one[inside] = centred / centred.square().mean().sqrt().clamp(min=1e-12)
        return eps

    def moments(self, shape: tuple[int, int, int]) -> Moments:
        """Of `MEASURED` draws: there is no closed form, as every draw has a divisor of its own."""
        total = torch.zeros(shape[1:], dtype=torch.float64)
        square = torch.zeros_like(total)
        for start in range(0, MEASURED, 64):
            seeds = [-1 - seed for seed in range(start, start + 64)]
            eps = self.draw(seeds, shape)[:, 0].double()
            total, square = total + eps.sum(0), square + eps.square().sum(0)
        mean = total / MEASURED
        return Moments(mean.float(), (square / MEASURED - mean.square()).float())
