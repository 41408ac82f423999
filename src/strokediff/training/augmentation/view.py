"""What is seen of a head at one slice, which training varies as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.midline import Reflection

Array = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A slice, its neighbours and its label on the network's grid.

    x in [-1, 1] and m, 0 or 1, are (1 + neighbours, S, S): the slice itself, then its neighbours,
    below and above in turn, nearest first. y, 0 or 1, is (K, S, S). `mirror` maps a pixel to its
    mirror image. x goes on beyond m as far as it is known there.

    `spacing_mm` is a pixel's side, `unit_hu` how many HU the value 1 stands for, and `height` where
    the slice lies in its head, 0 at the lowest and 1 at the highest.
    """

    x: Array
    m: Array
    y: Array
    mirror: Reflection | None = None
    spacing_mm: float = 1.0
    unit_hu: float = 40.0
    height: float = 0.5

    @property
    def side(self) -> int:
        """S, the grid's side in pixels."""
        return int(self.x.shape[-1])

    def seen(self) -> tuple[Array, Array]:
        """x and m with the slice's mirror image, where there is one, as the last of them.

        It is made of the slice as it is now, as it will be of a patient's: with the same noise.
        """
        if self.mirror is None:
            return self.x, self.m
        x, m = self.mirror(self.x[0]), self.mirror(self.m[0], order=0)
        return np.concatenate([self.x, x[None]]), np.concatenate([self.m, m[None]])

    def coordinates(self) -> tuple[Array, Array]:
        """Rows and columns in mm from the grid's middle, (S, 1) and (1, S)."""
        at = (np.arange(self.side, dtype=np.float32) - (self.side - 1) / 2) * self.spacing_mm
        return at[:, None], at[None, :]


class Step(Protocol):
    """One change with all its parameters, as a frozen dataclass of plain values."""

    def apply(self, view: View) -> View:
        """The view after it; the same step gives the same bytes."""
        ...


def name_of(step: Any) -> str:
    """How a step is called in records."""
    return type(step).__name__.lower()
