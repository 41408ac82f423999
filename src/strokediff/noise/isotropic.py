"""Isotropic noise, N(0, I): SDPM section 2.2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from strokediff.noise.base import generator


class IsotropicNoise:
    """White Gaussian noise."""

    name = "isotropic"

    def draw(self, seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
        """Noise of shape (len(seeds), *shape), float32 on the CPU."""
        return torch.stack([torch.randn(shape, generator=generator(seed)) for seed in seeds])
