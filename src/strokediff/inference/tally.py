"""Running sums over the draws of a head: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass
class Tally:
    """For every slice the number of draws, and sums of y_0 and of the lesion's area in pixels.

    counts (S,) int64; y and y2 (S, 1, H, W), a and a2 (S,), sums and sums of squares, float64.
    """

    counts: Tensor
    y: Tensor
    y2: Tensor
    a: Tensor
    a2: Tensor

    @classmethod
    def empty(cls, like: Tensor) -> Tally:
        """No draws yet of slices shaped like (S, 1, H, W)."""
        y, a = torch.zeros_like(like, dtype=torch.float64), torch.zeros(len(like)).double()
        return cls(torch.zeros(len(like), dtype=torch.long), y, y.clone(), a, a.clone())

    def add(self, index: Sequence[int], y_0: Tensor, m: Tensor, threshold: float) -> None:
        """Count the draws y_0 (R, 1, H, W) of the slices `index`, which have the masks m."""
        areas = ((y_0 >= threshold) & (m > 0)).flatten(1).sum(1).double()
        for row, i in enumerate(index):
            y = y_0[row].double()
            self.counts[i] += 1
            self.y[i] += y
            self.y2[i] += y * y
            self.a[i] += areas[row]
            self.a2[i] += areas[row] ** 2

    def __add__(self, other: Tally) -> Tally:
        """The draws of both."""
        return Tally(*(a + b for a, b in zip(self.tensors(), other.tensors(), strict=True)))

    def tensors(self) -> tuple[Tensor, ...]:
        """Everything it holds, in the order of the constructor."""
        return self.counts, self.y, self.y2, self.a, self.a2

    @property
    def mean(self) -> Tensor:
        """The mean of y_0 over draws, (S, 1, H, W) float32."""
        return (self.y / self.counts.clamp(min=1)[:, None, None, None]).float()

    @property
    def variance(self) -> Tensor:
        """The variance of y_0 between draws, (S, 1, H, W) float32; 0 for a single draw."""
        n = self.counts[:, None, None, None]
        return _variance(n, self.y, self.y2).float()

    @property
    def area_variance(self) -> Tensor:
        """The variance of the lesion's area between draws, (S,) float64; 0 for a single draw."""
        return _variance(self.counts, self.a, self.a2)

    @property
    def area(self) -> Tensor:
        """The mean area of the lesion, (S,) float64."""
        return self.a / self.counts.clamp(min=1)


def _variance(n: Tensor, total: Tensor, squares: Tensor) -> Tensor:
    """Unbiased, from sums; rounding can bring it a hair below 0."""
    spread = squares - total**2 / n.clamp(min=1)
    return (spread / (n - 1).clamp(min=1)).clamp(min=0)


class Store(Protocol):
    """Keeps an unfinished tally, so that a run that was stopped goes on where it was."""

    def load(self, name: str, like: Tensor) -> Tally:
        """The tally kept under `name`, or an empty one for slices shaped like (S, 1, H, W)."""
        ...

    def keep(self, name: str, tally: Tally) -> None:
        """Called now and then while `name` is at work."""
        ...


class NoStore:
    """Keeps nothing."""

    def load(self, name: str, like: Tensor) -> Tally:
        """An empty tally."""
        return Tally.empty(like)

    def keep(self, name: str, tally: Tally) -> None:
        """Nothing."""
