"""How t is drawn in training. The papers draw it uniformly; the others favour small t.

Most of the label's information lies at small t, so laws that go there more often learn the
label in fewer steps. Each draws int64 t in 0..T, shape (n,), from a generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class TimeSampler(Protocol):
    """A law of t."""

    def draw(self, n: int, T: int, generator: torch.Generator) -> Tensor:
        """Draw n times in 0..T."""
        ...


@dataclass(frozen=True)
class Uniform:
    """t uniform on 0..T, as in the papers."""

    def draw(self, n: int, T: int, generator: torch.Generator) -> Tensor:
        """Draw n times in 0..T."""
        return torch.randint(0, T + 1, (n,), generator=generator)


@dataclass(frozen=True)
class Power:
    """t = floor((T + 1) u^power), u uniform: density falls with t for power > 1."""

    power: float = 2.0

    def draw(self, n: int, T: int, generator: torch.Generator) -> Tensor:
        """Draw n times in 0..T."""
        u = torch.rand(n, generator=generator, dtype=torch.float64)
        return ((T + 1) * u**self.power).long().clamp(max=T)


@dataclass(frozen=True)
class CleanMixture:
    """t = 0 with probability `clean`, else the power law."""

    clean: float = 0.75
    power: float = 3.0

    def draw(self, n: int, T: int, generator: torch.Generator) -> Tensor:
        """Draw n times in 0..T."""
        t = Power(self.power).draw(n, T, generator)
        return torch.where(torch.rand(n, generator=generator) < self.clean, 0, t)


@dataclass(frozen=True)
class Clean:
    """t = 0: the network sees the clean slice, as one without diffusion does."""

    def draw(self, n: int, T: int, generator: torch.Generator) -> Tensor:
        """n zeros."""
        return torch.zeros(n, dtype=torch.long)


TIME_SAMPLERS: dict[str, TimeSampler] = {
    "uniform": Uniform(),
    "power": Power(),
    "clean-mixture": CleanMixture(),
    "clean": Clean(),
}
