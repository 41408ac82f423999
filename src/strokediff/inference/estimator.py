"""What the four estimators share: slices in, a label estimate and its draws out.

An estimator takes a callable network and never knows what it is made of. Its noise depends on
(seed, slice, draw, t) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from strokediff.core.process import SynchronousProcess
from strokediff.core.seeds import derive_seed
from strokediff.inference.executor import Network
from strokediff.noise.base import NoiseModel


@dataclass(frozen=True)
class Slices:
    """Clean images x_0 (S, 1, H, W) in [-1, 1] and brain masks m (S, 1, H, W) in {0, 1}.

    `keys` names each slice for its seeds; `seed` is the case's.
    """

    x_0: Tensor
    m: Tensor
    keys: Sequence[int]
    seed: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, H, W), the shape of one slice."""
        channels, height, width = self.x_0.shape[1:]
        return channels, height, width

    def noise_seeds(self, *what: int | str) -> list[int]:
        """One seed a slice for the draw that `what` names."""
        return [derive_seed(self.seed, key, *what) for key in self.keys]


@dataclass(frozen=True)
class LabelEstimate:
    """y_0_hat (S, 1, H, W), its mean over draws, and each draw's lesion area in pixels (N, S)."""

    y_0: Tensor
    areas: Tensor
    evaluations: int


@dataclass(frozen=True)
class Context:
    """What every estimator needs beside the slices."""

    network: Network
    process: SynchronousProcess
    noise: NoiseModel
    advance: Callable[[int], None] = field(default=lambda evaluations: None)

    def predict(self, x_t: Tensor, t: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        """The network's (eps_hat, y_t_hat), masked by m."""
        eps_hat, y_t_hat = self.network(x_t * m, t)
        self.advance(len(x_t))
        return eps_hat * m, y_t_hat * m

    def draw(self, slices: Slices, *what: int | str) -> Tensor:
        """Noise for every slice, masked."""
        return self.noise.draw(slices.noise_seeds(*what), slices.shape) * slices.m


class Estimator(Protocol):
    """One of the ways of section 2.4 to read the label back."""

    @property
    def name(self) -> str:
        """What `--method` calls it."""
        ...

    def evaluations(self) -> int:
        """Network evaluations a slice."""
        ...

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice."""
        ...


def times(t: int, slices: Slices) -> Tensor:
    """The time t for every slice, (S,) int64."""
    return torch.full((len(slices.x_0),), t, dtype=torch.long)


def lesion_areas(y_0: Tensor) -> Tensor:
    """Pixels with y_0 > 0 of every slice, (S,)."""
    return (y_0 > 0).flatten(1).sum(1)
