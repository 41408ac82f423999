"""What a scanner adds to the HU of soft tissue: shadings, bands and patches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from strokediff.training.augmentation.view import Array, View

COARSE_MM = 5.0
"""Pixels, about, on which distances to the inner table are measured: what is made of them is
smooth."""


def smooth_field(seed: int, shape: tuple[int, int, int], length: float) -> Array:
    """Fields (C, S, S) of mean 0 and variance about 1 that change over `length` pixels."""
    nodes = max(2, round(shape[-1] / length)) + 3
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.standard_normal((shape[0], nodes, nodes), np.float32))
    fine = interpolate(coarse[None], size=shape[1:], mode="bicubic", align_corners=True)
    return np.asarray(fine[0].numpy()) * np.float32(_BICUBIC)


_BICUBIC = 1.2
"""Interpolation between nodes of variance 1 leaves 1 / 1.2 of the deviation."""


def added(view: View, hu: Array) -> View:
    """A field in HU on top of all slices, or one each."""
    return replace(view, x=view.x + hu * np.float32(1 / view.unit_hu))


def depth_mm(view: View) -> Array:
    """Distance of the slice's pixels to its mask's edge, 0 outside, (S, S)."""
    by = max(1, round(COARSE_MM / view.spacing_mm))
    coarse = np.pad(view.m[0, by // 2 :: by, by // 2 :: by], 1)
    depth = ndimage.distance_transform_edt(coarse, sampling=by * view.spacing_mm)
    inner = torch.from_numpy(depth[1:-1, 1:-1].astype(np.float32))[None, None]
    return np.asarray(interpolate(inner, size=view.x.shape[1:], mode="bilinear")[0, 0].numpy())


def extent_mm(view: View) -> tuple[float, float, float, float]:
    """The middle of the slice's brain and half its size, along rows and columns."""
    rows, columns = (np.flatnonzero(view.m[0].any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 1.0
    out = []
    for used in (rows, columns):
        middle = ((used[0] + used[-1]) / 2 - (view.side - 1) / 2) * view.spacing_mm
        out.append((float(middle), float(used[-1] - used[0] + 1) / 2 * view.spacing_mm))
    (row, height), (column, width) = out
    return row, column, height, width


@dataclass(frozen=True)
class Cupping:
    """Cupping and beam hardening: `edge_hu` exp(-depth / reach) beside the inner table.

    From one side alone where `towards_deg` says which (from the middle of the brain, from rows
    towards columns); by the share `lower` less at the top of the head than at the bottom.
    """

    edge_hu: float
    reach_mm: float
    towards_deg: float | None = None
    lower: float = 0.0

    def apply(self, view: View) -> View:
        """The same on a slice and its neighbours."""
        hu = self.edge_hu * (1 - self.lower * view.height) * np.exp(-depth_mm(view) / self.reach_mm)
        if self.towards_deg is not None:
            row, column, _, _ = extent_mm(view)
            rows, columns = view.coordinates()
            y, x = rows - row, columns - column
            angle = np.deg2rad(self.towards_deg)
            cosine = (y * np.cos(angle) + x * np.sin(angle)) / (np.hypot(y, x) + 1.0)
            hu = hu * ((1 + cosine) / 2) ** 2
        return added(view, hu.astype(np.float32))


@dataclass(frozen=True)
class Streak:
    """A straight band between two places of the inner table, seen from the brain's middle.

    `hu` in its middle, with a Gaussian profile of `width_mm` (standard deviation); neighbouring
    slices have `share` of it.
    """

    hu: float
    from_deg: float
    to_deg: float
    width_mm: float
    share: float

    def apply(self, view: View) -> View:
        """Added to all slices."""
        row, column, height, width = extent_mm(view)
        angles = np.deg2rad([self.from_deg, self.to_deg])
        (r0, r1), (c0, c1) = row + height * np.cos(angles), column + width * np.sin(angles)
        along = np.hypot(r1 - r0, c1 - c0) + 1e-6
        rows, columns = view.coordinates()
        off = (rows - r0) * ((c1 - c0) / along) - (columns - c0) * ((r1 - r0) / along)
        on = (rows - r0) * ((r1 - r0) / along) + (columns - c0) * ((c1 - c0) / along)
        beyond = np.maximum(np.abs(on - along / 2) - along / 2, 0)
        band = self.hu * np.exp(-(off**2 + beyond**2) / (2 * self.width_mm**2))
        shares = np.full((len(view.x), 1, 1), self.share, np.float32)
        shares[0] = 1.0
        return added(view, shares * band.astype(np.float32))


@dataclass(frozen=True)
class Patches:
    """Shadings that change over `length_mm`, of standard deviation `hu`, each slice its own."""

    hu: float
    length_mm: float
    seed: int

    def apply(self, view: View) -> View:
        """Added to all slices."""
        field = smooth_field(self.seed, view.x.shape, self.length_mm / view.spacing_mm)
        return added(view, np.float32(self.hu) * field)


@dataclass(frozen=True)
class Values:
    """x -> `factor` x + shift: contrast about the window's level, and the scanner's calibration."""

    factor: float = 1.0
    shift_hu: float = 0.0

    def apply(self, view: View) -> View:
        """On all slices."""
        x = view.x * np.float32(self.factor) + np.float32(self.shift_hu / view.unit_hu)
        return replace(view, x=x)
