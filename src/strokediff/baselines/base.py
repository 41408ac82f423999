"""What a peer method is: something to build, to train and to predict a label with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from strokediff.errors import UsageError
from strokediff.training.tasks import Task


class Baseline(Task, Protocol):
    """A method that SDPM is compared with. Each trains as a `Task`: `method` is its name.

    x is (S, C, H, W) with the slice in its first channel, the only one that is read; m (S, 1, H, W)
    is its brain mask. The square grid's side is the `size` that the network was built for.
    """

    name: str
    """What the command line and a checkpoint call it."""

    title: str
    """What the tables of the papers call it."""

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """The untrained network for slices of size x size and labels of K kinds of lesion.

        `UsageError` if it cannot take slices of that size.
        """
        ...

    def predict(self, module: nn.Module, x: Tensor, m: Tensor, seeds: Sequence[int]) -> Tensor:
        """y_0 = 2 p - 1 inside the brain, -1 outside, (S, K, H, W); p is the chance of each kind.

        One seed a slice: a slice's answer does not depend on the others.
        """
        ...

    def seeded(self, seed: int) -> Baseline:
        """The same method, what it draws in training fixed by `seed`."""
        ...

    def evaluations(self) -> int:
        """How often `predict` runs the network on a slice."""
        ...


def in_brain(y_0: Tensor, m: Tensor) -> Tensor:
    """y_0 inside the brain mask, -1 outside."""
    return y_0 * m - (1.0 - m)


def in_brain_mean(values: Tensor, m: Tensor) -> Tensor:
    """The mean of values (B, K, H, W) over kinds and over pixels of the brains m (B, 1, H, W)."""
    inside = (values * m).mean(1)
    return inside.sum() / m.sum().clamp(min=1.0)


def check_multiple(name: str, size: int, multiple: int) -> None:
    """`UsageError` unless the side of the grid is a multiple of `multiple`."""
    if size < multiple or size % multiple:
        raise UsageError(
            f"'{name}' takes slices whose side is a multiple of {multiple}, not {size} pixels. "
            "Prepare the cohort on another grid, for example 96, 192, 224 or 448."
        )
