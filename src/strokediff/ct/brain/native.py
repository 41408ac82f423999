"""From the coarse mask back to the image's own grid, with a smooth boundary at the inner table."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy import ndimage

from strokediff.ct.arrays import AIR_HU, Array, Mask
from strokediff.ct.brain.components import SMALL_HOLE_MM2
from strokediff.ct.brain.evidence import FAT_HU, CoarseGrid, disc
from strokediff.ct.brain.shapes import signed_distance
from strokediff.ct.volume import CT

BAND_MM, _MARGIN_MM = 1.6, 4.0
"""Half width of the band along the coarse contour in which the native HU decide, and how far
around the contour a slice is looked at."""
INNER_TABLE_HU = 200.0
"""Where the inner table begins at full resolution. Halfway from brain to compact bone (about 500)
is unbiased in area but shows a white rim in a brain window; 110 loses a millimetre of cortex."""
SMOOTHING_MM, VOTE_MM = 0.5, 0.8
SPUR_MM = 1.5
"""Spurs narrower than twice this are cut off: what lies behind thin bone, not cortex."""
EMPTY_MM = 4.0
"""Distance that stands for an empty slab when the contour is interpolated between slabs."""


def to_native(coarse: Mask, grid: CoarseGrid, volume: CT, unusable: Collection[int] = ()) -> Mask:
    """Mask (X, Y, Z) on the grid of `volume` from the coarse mask of its head.

    In `unusable` slices the coarse contour decides alone, not their HU.
    """
    mask = np.zeros(volume.hu.shape, dtype=bool)
    distance = np.stack(
        [signed_distance(coarse[:, :, k], grid.pitch_mm, EMPTY_MM) for k in range(coarse.shape[2])]
    )
    for k in range(volume.hu.shape[2]):
        at = np.clip((k - (grid.block[2] - 1) / 2) / grid.block[2], 0, len(distance) - 1)
        low = int(at)
        high = min(low + 1, len(distance) - 1)
        between = distance[low] + (at - low) * (distance[high] - distance[low])
        if between.min() < 0:
            window = _window(between < _MARGIN_MM, grid, volume.hu.shape)
            distance_here = _upsampled(between, grid, window)
            if k in unusable:
                mask[:, :, k][window] = distance_here < 0
                continue
            hu = volume.hu[:, :, k][window]
            mask[:, :, k][window] = _refined(distance_here, hu, volume.pixel_spacing_mm)
    return mask


def _refined(distance: Array, hu: Array, spacing: tuple[float, float]) -> Mask:
    sigma = [SMOOTHING_MM / s for s in spacing]
    smooth = ndimage.gaussian_filter(np.clip(hu, AIR_HU, 400.0), sigma)
    mask = (distance < -BAND_MM) | ((distance < BAND_MM) & (smooth < INNER_TABLE_HU))
    mask &= (distance < 0) | (smooth > FAT_HU)
    # A vote of the neighbourhood: the contour follows the bone, not the noise.
    vote = [VOTE_MM / s for s in spacing]
    voted = ndimage.gaussian_filter(mask.astype(np.float32), vote) > 0.5
    opened = ndimage.binary_opening(voted, structure=disc(SPUR_MM, spacing))
    return np.asarray(opened | _small_holes(opened, spacing))


def _small_holes(mask: Mask, spacing: tuple[float, float]) -> Mask:
    labels, _ = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    sizes = np.bincount(labels.ravel()) * spacing[0] * spacing[1]
    sizes[0] = np.inf
    return np.asarray((sizes < SMALL_HOLE_MM2)[labels])


def _window(near: Mask, grid: CoarseGrid, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Native pixels of the box around the cells `near`."""
    box = ndimage.find_objects(near.astype(int))[0]
    x, y = (
        slice(o + b * s.start, min(n, o + b * s.stop))
        for o, b, s, n in zip(grid.origin[:2], grid.block[:2], box, shape[:2], strict=True)
    )
    return x, y


def _upsampled(signed: Array, grid: CoarseGrid, window: tuple[slice, slice]) -> Array:
    """Distance at each native pixel; a cell's centre is half a block from its first pixel's."""
    at = [
        (np.arange(w.start, w.stop) - o - (b - 1) / 2) / b
        for w, o, b in zip(window, grid.origin[:2], grid.block[:2], strict=True)
    ]
    grid_at = np.meshgrid(*at, indexing="ij")
    found = ndimage.map_coordinates(signed, grid_at, order=1, mode="nearest", prefilter=False)
    return np.asarray(found)
