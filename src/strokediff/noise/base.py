"""What a noise model is: something that draws eps, one seed a sample.

A sample's noise depends on its seed alone, never on the batch that it is drawn in. Its random
coefficients come from a CPU generator; the linear algebra runs on the device that asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from strokediff.errors import UsageError

CPU = torch.device("cpu")

Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Starts over a cohort: pairs of images x (B, H, W) in [-1, 1] and brain masks m (B, H, W)."""


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each pixel of the noise, (H, W) float32 on the CPU."""

    mean: Tensor
    variance: Tensor


class NoiseModel(Protocol):
    """A law of eps. Callers multiply each draw by the slice's brain mask.

    The classes have besides: `fit(batches, **settings)`, which streams and may start over
    several times; `load(settings, tensors)`, which undoes the two methods below; and `derived`,
    the tensors that `load` makes again from the settings, so that no file holds them.

    >>> noise: NoiseModel = IsotropicNoise()
    >>> eps = noise.draw([1, 2], (1, 4, 4)) * torch.ones(2, 1, 4, 4)
    >>> eps.shape, noise.moments((1, 4, 4)).variance.unique().tolist(), noise.symmetric
    (torch.Size([2, 1, 4, 4]), [1.0], True)
    """

    @property
    def name(self) -> str:
        """What `--noise` calls it."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether -eps has the same law as eps."""
        ...

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        """Noise of shape (len(seeds), *shape), float32 on `device`; shape is (C, H, W)."""
        ...

    def moments(self, shape: tuple[int, int, int]) -> Moments:
        """Mean and variance a pixel, in closed form."""
        ...

    def settings(self) -> dict[str, Any]:
        """What made it, as plain JSON."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything that it holds."""
        ...


@runtime_checkable
class Whitening(Protocol):
    """A noise model whose covariance Sigma has a square root that can be undone."""

    def whiten(self, eps: Tensor, m: Tensor | None = None) -> Tensor:
        """V eps with V^T V = Sigma^-1, for eps (B, 1, H, W).

        With masks m (B, 1, H, W), Sigma is the covariance of the pixels inside m alone, and
        the others come back as 0.
        """
        ...


def generator(seed: int) -> torch.Generator:
    """A CPU generator at `seed`: CPU draws are the same on every machine."""
    return torch.Generator().manual_seed(seed)


def check_shape(name: str, fitted: tuple[int, int], shape: tuple[int, int, int]) -> None:
    """`UsageError` unless `shape` is one channel of the grid that a model was fitted on."""
    if tuple(shape) != (1, *fitted):
        raise UsageError(
            f"{name} noise was fitted on slices of {fitted[0]} x {fitted[1]} pixels and cannot "
            f"draw {' x '.join(map(str, shape))}. Fit it on a cohort of that grid."
        )


def with_margin(brain: Tensor, margin: int) -> Tensor:
    """The pixels within `margin` rows and columns of `brain` (H, W), uint8.

    Augmented slices and new patients reach a little beyond the brains that were fitted; nothing
    is known there, so factor models fill the margin with white noise of unit variance.
    """
    window = 2 * margin + 1
    wide = F.max_pool2d(brain.float()[None, None], window, stride=1, padding=margin)
    return wide[0, 0].byte()
