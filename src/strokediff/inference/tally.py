"""Running sums over the draws of a head: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass
class Tally:
    """For every slice the number of draws, and sums of y_0 and of the lesion's area in pixels.

    counts (S,) int64; y and y2 (S, K, H, W), a and a2 (S, A), sums and sums of squares, float64. Of
    the A areas the first K are those of the kinds of lesion and the last is that of all joined: A
    is K + 1, and 1 where K is 1.
    """

    counts: Tensor
    y: Tensor
    y2: Tensor
    a: Tensor
    a2: Tensor

    @classmethod
    def empty(cls, like: Tensor) -> Tally:
        """No draws yet of slices with labels shaped like (S, K, H, W)."""
        y = torch.zeros_like(like, dtype=torch.float64)
        a = y.new_zeros(len(like), _areas(like.shape[1]))
        return cls(torch.zeros(len(like), dtype=torch.long), y, y.clone(), a, a.clone())

    def add(
        self, index: Sequence[int], y_0: Tensor, m: Tensor, threshold: float | Sequence[float]
    ) -> None:
        """Count the draws y_0 (R, K, H, W) of the slices `index`, which have the masks m.

        Lesion is where y_0 >= `threshold`, one for all kinds or one each.
        """
        lesion = (y_0 >= y_0.new_tensor(threshold).reshape(-1, 1, 1)) & (m > 0)
        if lesion.shape[1] > 1:
            lesion = torch.cat([lesion, lesion.any(1, keepdim=True)], dim=1)
        areas = lesion.flatten(2).sum(2).double()
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
        """The mean of y_0 over draws, (S, K, H, W) float32."""
        return (self.y / self.counts.clamp(min=1)[:, None, None, None]).float()

    @property
    def variance(self) -> Tensor:
        """The variance of y_0 between draws, (S, K, H, W) float32; 0 for a single draw."""
        n = self.counts[:, None, None, None]
        return _variance(n, self.y, self.y2).float()

    @property
    def kinds(self) -> int:
        """K."""
        return self.y.shape[1]

    @property
    def area(self) -> Tensor:
        """The mean area of each kind of lesion, (S, K) float64."""
        return (self.a / self.counts.clamp(min=1)[:, None])[:, : self.kinds]

    @property
    def joined_area(self) -> Tensor:
        """The mean area of the lesion, all kinds joined, (S,) float64."""
        return self.a[:, -1] / self.counts.clamp(min=1)

    @property
    def every_area_variance(self) -> Tensor:
        """The variance of the areas between draws, (S, A) float64; 0 for a single draw."""
        return _variance(self.counts[:, None], self.a, self.a2)

    @property
    def area_variance(self) -> Tensor:
        """The variance of each kind's area between draws, (S, K) float64."""
        return self.every_area_variance[:, : self.kinds]

    @property
    def joined_area_variance(self) -> Tensor:
        """The variance of the joined area between draws, (S,) float64."""
        return self.every_area_variance[:, -1]


def in_columns(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A tally's tensors by name; areas of one kind that were kept as (S,) become (S, 1)."""
    return {
        name: value[:, None] if name in ("a", "a2") and value.ndim == 1 else value
        for name, value in tensors.items()
    }


def _areas(kinds: int) -> int:
    """Of each kind, and of all joined where they are more than one."""
    return kinds + (kinds > 1)


def _variance(n: Tensor, total: Tensor, squares: Tensor) -> Tensor:
    """Unbiased, from sums; rounding can bring it a hair below 0."""
    spread = squares - total**2 / n.clamp(min=1)
    return (spread / (n - 1).clamp(min=1)).clamp(min=0)


class Store(Protocol):
    """Keeps an unfinished tally, so that a run that was stopped goes on where it was."""

    def load(self, name: str, like: Tensor) -> Tally:
        """The tally kept under `name`, or an empty one for labels shaped like (S, K, H, W)."""
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
