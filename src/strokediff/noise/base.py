"""What a noise model is: something that draws eps, one seed a sample.

A sample's noise depends on its seed alone, never on the batch that it is drawn in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class NoiseModel(Protocol):
    """Noise of zero mean and unit variance per pixel."""

    name: str

    def draw(self, seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
        """Noise of shape (len(seeds), *shape), float32 on the CPU; shape is (C, H, W)."""
        ...


def generator(seed: int) -> torch.Generator:
    """A CPU generator at `seed`: CPU draws are the same on every machine."""
    return torch.Generator().manual_seed(seed)
