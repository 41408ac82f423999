"""Noise, kernels, pixels and thick slices: how fine a scan is, and how grainy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn.functional import interpolate

from strokediff.training.augmentation.view import Array, View

TINY = np.float32(1e-3)


def gaussian(sigma: float) -> NDArray[np.float32]:
    """Weights of sum 1 that reach 3 sigma, in pixels."""
    reach = max(1, int(np.ceil(3 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)


def smoothed(values: Array, weights: NDArray[np.float32], mode: str = "constant") -> Array:
    """`values` (C, S, S) with `weights` along rows and columns."""
    along = ndimage.convolve1d(values, weights, axis=1, mode=mode)
    return np.asarray(ndimage.convolve1d(along, weights, axis=2, mode=mode))


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of standard deviation `hu`, each slice its own.

    White noise w, of which w_s is smoothed with a Gaussian of `width_mm`: w_s itself, or with
    `sharp` > 0 w + sharp (w - w_s), as sharp kernels give.
    """

    hu: float
    width_mm: float
    sharp: float
    seed: int

    def apply(self, view: View) -> View:
        """Added to all slices; the mirror image is that of the slice, noise and all."""
        rng = np.random.default_rng(self.seed)
        noise = rng.standard_normal(view.x.shape, np.float32)
        weights = gaussian(self.width_mm / view.spacing_mm)
        smooth = smoothed(noise, weights, mode="wrap")
        square, centre = float((weights**2).sum()) ** 2, float(weights.max()) ** 2
        variance = square
        if self.sharp > 0:
            a = self.sharp
            smooth = (1 + a) * noise - a * smooth
            variance = (1 + a) ** 2 - 2 * a * (1 + a) * centre + a**2 * square
        scale = self.hu / view.unit_hu / np.sqrt(variance)
        return replace(view, x=view.x + np.asarray(scale * smooth, np.float32))


@dataclass(frozen=True)
class Kernel:
    """x + sharp (x - x_s) with x_s smoothed by a Gaussian of `width_mm` inside the mask.

    `sharp` = -1 smooths, above 0 it sharpens.
    """

    width_mm: float
    sharp: float

    def apply(self, view: View) -> View:
        """Inside the mask; what lies beyond it stays."""
        weights = gaussian(self.width_mm / view.spacing_mm)
        cover = smoothed(view.m, weights)
        smooth = np.asarray(smoothed(view.x * view.m, weights) / np.maximum(cover, TINY))
        x = view.x + np.asarray(self.sharp * (view.x - smooth) * view.m, np.float32)
        return replace(view, x=x)


@dataclass(frozen=True)
class Pixels:
    """x as pixels `factor` times as large show it, inside the mask."""

    factor: float

    def apply(self, view: View) -> View:
        """Means over the large pixels, then linear interpolation between them."""
        both = torch.from_numpy(np.concatenate([view.x * view.m, view.m]))[None]
        small = max(4, round(view.side / self.factor))
        down = interpolate(both, size=(small, small), mode="bilinear", antialias=True)
        up = interpolate(down, size=both.shape[2:], mode="bilinear")[0].numpy()
        x, cover = np.split(up, 2)
        coarse = x / np.maximum(cover, TINY)
        return replace(view, x=np.where(view.m > 0, coarse, view.x))


@dataclass(frozen=True)
class Thickness:
    """Slices that reach into their neighbours: `share` of each side's, 1 - 2 share of their own.

    Where a neighbour has no brain, or is not known, the others make up for it.
    """

    share: float

    def apply(self, view: View) -> View:
        """Inside the mask."""
        channels = np.arange(len(view.x))
        z = np.where(channels % 2, -(channels + 1) // 2, channels // 2)
        order = np.argsort(z)
        m = view.m[order]
        mixed, weight = view.x[order] * m * (1 - 2 * self.share), m * (1 - 2 * self.share)
        for to, of in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            mixed[to] += self.share * (view.x[order] * m)[of]
            weight[to] += self.share * m[of]
        x = np.where(m > 0, mixed / np.maximum(weight, TINY), view.x[order])
        return replace(view, x=x[np.argsort(order)].astype(np.float32))
