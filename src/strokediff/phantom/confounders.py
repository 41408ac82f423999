"""What fools a reader and is never labelled: calcification and beam hardening."""

from __future__ import annotations

import numpy as np

from strokediff.phantom.anatomy import Atlas
from strokediff.phantom.fields import Field, soft_step
from strokediff.phantom.params import Confounders


def add_calcifications(hu: Field, atlas: Atlas, confounders: Confounders) -> Field:
    """Small dense balls: pineal gland, choroid plexus, pallidum."""
    for x, y, z, radius, value in confounders.calcified:
        box = tuple(
            slice(*np.searchsorted(axis.ravel(), (c - 2 * radius - 2, c + 2 * radius + 2)))
            for axis, c in zip((atlas.x, atlas.y, atlas.z), (x, y, z), strict=True)
        )
        dx, dy, dz = atlas.x[box[0]] - x, atlas.y[:, box[1]] - y, atlas.z[:, :, box[2]] - z
        weight = soft_step(radius - np.sqrt(dx**2 + dy**2 + dz**2), 1.5)
        hu[box] += weight * np.maximum(value - hu[box], 0)
    return hu


def add_beam_hardening(hu: Field, atlas: Atlas, confounders: Confounders) -> Field:
    """Cupping under the vault, the dark band between the petrous bones, streaks behind them."""
    rng = np.random.default_rng([confounders.seed, 3])
    hu = hu + confounders.cupping_hu * np.exp(np.minimum(atlas.depth, 0) / 7.0)
    height = np.exp(-(((atlas.z + 36) / 11) ** 2))
    tilt = float(np.tan(np.deg2rad(rng.normal(0, 4))))
    line = atlas.y + 24 + tilt * atlas.x
    band = np.exp(-((line / 7) ** 2)) * soft_step(44 - np.abs(atlas.x), 14) * height
    hu = hu + confounders.dark_band_hu * band
    for _ in range(5):
        slope, offset = float(np.tan(np.deg2rad(rng.normal(0, 14)))), float(rng.uniform(-75, -5))
        width, sign = float(rng.uniform(1.5, 4.0)), float(rng.choice((-1.0, 1.0)))
        line = atlas.y - offset - slope * atlas.x
        level = np.exp(-(((atlas.z - float(rng.uniform(-55, -28))) / 7) ** 2))
        hu = hu + sign * confounders.streak_hu * np.exp(-((line / width) ** 2)) * level
    return hu
