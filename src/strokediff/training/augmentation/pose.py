"""Where a head lies on the grid, and how it is bent: image, masks, label and mirror move as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import grid_sample

from strokediff.training.augmentation.fields import smooth_field
from strokediff.training.augmentation.view import Array, View


@dataclass(frozen=True)
class Bend:
    """A smooth displacement: its standard deviation, the length over which it changes, its seed."""

    by_mm: float
    length_mm: float
    seed: int

    def displacement(self, view: View) -> Array:
        """Along rows and columns in pixels, (2, S, S)."""
        pixels = self.by_mm / view.spacing_mm
        field = smooth_field(self.seed, (2, view.side, view.side), self.length_mm / view.spacing_mm)
        return pixels * field


@dataclass(frozen=True)
class Pose:
    """p = scale R(rotation) flip q + shift takes a point q of the head to its place p.

    Both are (rows, columns) in mm from the grid's middle. `rotation_deg` turns from rows towards
    columns, `flip` exchanges left and right, `scale` is along rows and columns. What comes from
    beyond the grid is 0.
    """

    rotation_deg: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift_mm: tuple[float, float] = (0.0, 0.0)
    flip: bool = False
    bend: Bend | None = None

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """scale R flip, (2, 2)."""
        angle = np.deg2rad(self.rotation_deg)
        cos, sin = np.cos(angle), np.sin(angle)
        flip = np.diag([1.0, -1.0 if self.flip else 1.0])
        return np.asarray(np.diag(self.scale) @ [[cos, -sin], [sin, cos]] @ flip)

    def apply(self, view: View) -> View:
        """Linear interpolation of x, nearest for masks and labels."""
        side = view.side
        shift = np.array(self.shift_mm) / view.spacing_mm
        source = self._sources(view, shift)
        moved = _sampled(view.x, source, "bilinear")
        masks = _sampled(np.concatenate([view.m, view.y]), source, "nearest")
        mirror = view.mirror and view.mirror.moved(self.matrix, shift, side)
        m, y = np.split(masks, [len(view.m)])
        return replace(view, x=moved, m=m, y=y, mirror=mirror)

    def _sources(self, view: View, shift: NDArray[np.float64]) -> Array:
        """Where each pixel's value comes from, (S, S, 2) as (column, row) in -1 ... 1."""
        side = view.side
        at = np.arange(side) - (side - 1) / 2
        back = np.linalg.inv(self.matrix)
        rows, columns = (at - shift[0])[:, None], (at - shift[1])[None, :]
        source = np.empty((side, side, 2), np.float32)
        source[..., 1] = back[0, 0] * rows + back[0, 1] * columns
        source[..., 0] = back[1, 0] * rows + back[1, 1] * columns
        if self.bend:
            source += np.moveaxis(self.bend.displacement(view)[::-1], 0, -1)
        source *= 2.0 / side  # the grid's outer edges are -1 and 1
        return source


def _sampled(values: Array, source: Array, mode: str) -> Array:
    taken = grid_sample(
        torch.from_numpy(values)[None],
        torch.from_numpy(source)[None],
        mode=mode,
        padding_mode="zeros",
        align_corners=False,
    )
    return np.asarray(taken[0].numpy())
