"""From the coarse mask back to the image's own grid, with a smooth boundary at the inner table."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from strokediff.data.brain.evidence import AIR_HU, EDGE_HU, FAT_HU, Array, Grid, Mask
from strokediff.data.volume import Volume

BAND_MM = 1.6
"""Half width of the band along the coarse contour in which the native HU decide."""
SMOOTHING_MM = 0.6
HOLE_MM2 = 60.0
"""Larger bright islands that stand on the skull base are skull; smaller ones are filled."""


def to_native(coarse: Mask, grid: Grid, volume: Volume) -> Mask:
    """Mask (X, Y, Z) on the grid of `volume` from the coarse mask of its head."""
    mask = np.zeros(volume.hu.shape, dtype=bool)
    for k in np.flatnonzero(coarse.any(axis=(0, 1))):
        mask[:, :, k] = _slice_to_native(coarse[:, :, k], grid, volume, volume.hu[:, :, k])
    return mask


def _slice_to_native(coarse: Mask, grid: Grid, volume: Volume, hu: Array) -> Mask:
    spacing = volume.pixel_spacing_mm
    distance = _native_distance(coarse, grid, hu.shape)
    sigma = [SMOOTHING_MM / s for s in spacing]
    smooth = ndimage.gaussian_filter(np.clip(hu, AIR_HU, 400.0), sigma)
    tissue = (smooth < EDGE_HU) & (smooth > FAT_HU)
    mask = (distance < -BAND_MM) | ((distance < BAND_MM) & tissue)
    # A vote of the neighbourhood: the contour follows the bone, not the noise.
    share = ndimage.gaussian_filter(mask.astype(np.float32), [0.8 / s for s in spacing])
    return share > 0.5


def _native_distance(coarse: Mask, grid: Grid, shape: tuple[int, ...]) -> Array:
    """Signed distance (mm, inside negative) to the coarse contour, at each native pixel."""
    outside = ndimage.distance_transform_edt(~coarse, sampling=grid.pitch_mm)
    inside = ndimage.distance_transform_edt(coarse, sampling=grid.pitch_mm)
    signed = (outside - inside).astype(np.float32)
    # Cell centres sit half a block from their first pixel's centre.
    at = [
        (np.arange(n) - o - (b - 1) / 2) / b
        for n, o, b in zip(shape, grid.origin, grid.block, strict=True)
    ]
    return ndimage.map_coordinates(
        signed, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest", prefilter=False
    )
