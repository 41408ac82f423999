"""What the encoder is shown of a slice: the slice itself, or its two sides at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class View(Protocol):
    """(B, 1, H, W) -> (B, channels, H, W), without weights of its own."""

    @property
    def channels(self) -> int:
        """How many channels the encoder gets."""
        ...

    def __call__(self, x_t: Tensor) -> Tensor:
        """Show x_t."""
        ...


@dataclass(frozen=True)
class Plain:
    """x_t alone, as in the papers."""

    channels: int = 1

    def __call__(self, x_t: Tensor) -> Tensor:
        """x_t."""
        return x_t


@dataclass(frozen=True)
class Mirrored:
    """x_t and its mirror image across the middle of the grid, where the brain's own middle lies.

    Readers find an early infarct by comparing the hemispheres; a convolution sees one place only.
    The mirror image carries the mirrored noise, so nothing that is not in x_t enters.
    """

    channels: int = 2

    def __call__(self, x_t: Tensor) -> Tensor:
        """(x_t, x_t flipped along its rows)."""
        return torch.cat([x_t, x_t.flip(-1)], dim=1)


VIEWS: dict[str, View] = {"plain": Plain(), "mirrored": Mirrored()}
