"""What a scanner does to a randomised phantom beyond its noise: glow, streaks, sharp kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.phantom.anatomy import Atlas, pad_to
from strokediff.phantom.fields import Field, soft_step, upsample
from strokediff.phantom.variation import Glow, Variation

STEP = 4
BONE_HU = (300.0, 1000.0)
"""From here bone counts, and from there it counts whole."""
SHARPENED_MM = 0.8


def add_glow(hu: Field, atlas: Atlas, glow: Glow) -> Field:
    """Brighten the cavity by how much bone is near: the bone smoothed by `reach_mm`.

    `glow.hu` is what the brightest twentieth of the cavity's rim gets.
    """
    s = slice(None, None, STEP)
    low, high = BONE_HU
    bone = ndimage.gaussian_filter(
        np.clip((hu[s, s, s] - low) / (high - low), 0, 1), glow.reach_mm / STEP
    )
    rim = (atlas.depth[s, s, s] < 0) & (atlas.depth[s, s, s] > -2 * STEP)
    near = np.clip(bone / max(float(np.percentile(bone[rim], 95)), 1e-3), 0, 1.2)
    near = near * sidedness(atlas, glow)[s, s, :]
    odd = tuple(STEP * (n - 1) + 1 for n in near.shape)
    fine = pad_to(upsample(near, odd), tuple(max(a, b) for a, b in zip(odd, hu.shape, strict=True)))
    inside = soft_step(-atlas.depth)
    return hu + np.float32(glow.hu) * inside * fine[tuple(slice(n) for n in hu.shape)]


def sidedness(atlas: Atlas, glow: Glow) -> Field:
    """1 towards the glow's side and 1 - one_sided opposite to it, (X, Y, 1)."""
    angle = np.deg2rad(glow.towards_deg)
    x, y = -atlas.x, atlas.y + 18.0
    cosine = (x * np.sin(angle) + y * np.cos(angle)) / (np.hypot(x, y) + 10.0)
    return np.asarray(1 - glow.one_sided * (1 - cosine) / 2, np.float32)


def in_slices(hu: Field, affine: NDArray[np.float64], variation: Variation) -> Field:
    """Streaks across the slices and a kernel that enhances edges, before noise."""
    pixel = float(np.linalg.norm(affine[:3, 0]))
    soft = hu > -300
    x = (np.arange(hu.shape[0], dtype=np.float32)[:, None] - (hu.shape[0] - 1) / 2) * pixel
    y = (np.arange(hu.shape[1], dtype=np.float32)[None] - (hu.shape[1] - 1) / 2) * pixel
    z = np.arange(hu.shape[2]) * float(np.linalg.norm(affine[:3, 2]))
    out = hu.copy()
    for streak in variation.streaks:
        angle = np.deg2rad(streak.angle_deg)
        line = x * np.cos(angle) + y * np.sin(angle) - streak.offset_mm
        band = streak.hu * np.exp(-((line / streak.width_mm) ** 2) / 2)
        level = np.exp(-(((z - streak.height * z[-1]) / streak.reach_mm) ** 2) / 2)
        for k in np.flatnonzero(level > 0.02):
            out[:, :, k] += band * np.float32(level[k]) * soft[:, :, k]
    if variation.sharpening:
        sigma = SHARPENED_MM / pixel
        out += variation.sharpening * (out - ndimage.gaussian_filter(out, (sigma, sigma, 0)))
    return out
