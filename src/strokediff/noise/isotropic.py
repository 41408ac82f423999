"""Isotropic noise, N(0, I): SDPM section 2.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.noise.base import CPU, Batches, Moments, generator


class IsotropicNoise:
    """White Gaussian noise on every pixel of any grid; there is nothing to fit.

    >>> eps = IsotropicNoise().draw([1, 2], (1, 64, 64))
    >>> eps.shape, round(float(eps.std()), 2)
    (torch.Size([2, 1, 64, 64]), 1.0)
    >>> torch.equal(eps[1:], IsotropicNoise().draw([2], (1, 64, 64)))
    True
    """

    name: ClassVar[str] = "isotropic"
    symmetric: ClassVar[bool] = True
    derived: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def fit(cls, batches: Batches) -> IsotropicNoise:
        """The same whatever the images."""
        return cls()

    @classmethod
    def load(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> IsotropicNoise:
        """Undo `settings` and `tensors`."""
        return cls()

    def settings(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        """Noise of shape (len(seeds), *shape), float32 on `device`."""
        white = [torch.randn(shape, generator=generator(seed)) for seed in seeds]
        return torch.stack(white).to(device)

    def moments(self, shape: tuple[int, int, int]) -> Moments:
        """Mean 0 and variance 1."""
        return Moments(torch.zeros(shape[1:]), torch.ones(shape[1:]))

    def whiten(self, eps: Tensor, m: Tensor | None = None) -> Tensor:
        """The identity inside m."""
        return eps if m is None else eps * m
