"""Shapes between slices: what lies in a slice is foreseen from the slices on both sides of it.

Shapes are interpolated by their signed distance (Raya and Udupa, IEEE TMI 9(1), 1990): distance
to the outline, negative inside, is mixed linearly in z, and the shape is where it is below 0.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import Array, Mask
from strokediff.ct.volume import CT, pixel_area_mm2

TAPER = 0.5
"""A shape that only one of the two neighbours shows ends halfway between them, at 45 degrees."""


def shift_per_mm(volume: CT) -> tuple[float, float]:
    """How far the column of voxels above a pixel leans from the slice normal, per mm along it.

    A patient point above moves by minus this in the next slice.
    """
    columns = volume.affine[:3, :3]
    x, y = (columns[:, i] / np.linalg.norm(columns[:, i]) for i in (0, 1))
    along_normal = abs(np.linalg.det(columns)) / pixel_area_mm2(volume.affine)
    return -float(columns[:, 2] @ x / along_normal), -float(columns[:, 2] @ y / along_normal)


def slab_middles_mm(increments_mm: NDArray[np.float64], slab: int) -> NDArray[np.float64]:
    """Where slabs of `slab` slices have their middles along the normal, mm from the first."""
    thickness = np.add.reduceat(increments_mm, np.arange(0, len(increments_mm), slab))
    return np.concatenate([[0.0], np.cumsum((thickness[1:] + thickness[:-1]) / 2)])


def signed_distance(
    mask: Mask, pitch_mm: float | tuple[float, float], empty_mm: float = np.inf
) -> Array:
    """mm from each cell to the outline of a mask, negative inside; `empty_mm` where it is empty."""
    if not mask.any():
        return np.full(mask.shape, empty_mm, dtype=np.float32)
    outside = ndimage.distance_transform_edt(~mask, sampling=pitch_mm)
    inside = ndimage.distance_transform_edt(mask, sampling=pitch_mm)
    return np.asarray((outside - inside).astype(np.float32))


def neighbours(k: int, left_out: Collection[int], count: int) -> tuple[int | None, int | None]:
    """The nearest slices below and above k that are not left out; None where there is none."""
    below = next((j for j in range(k - 1, -1, -1) if j not in left_out), None)
    above = next((j for j in range(k + 1, count) if j not in left_out), None)
    return below, above


def foreseen(
    below: Mask,
    above: Mask,
    gap_mm: tuple[float, float],
    pitch_mm: tuple[float, float],
    shift_per_mm: tuple[float, float] = (0.0, 0.0),
    *,
    apart: bool = False,
) -> Array:
    """Signed distance between two slices' shapes, `gap_mm` above one and below the other.

    `shift_per_mm` is how far a patient point moves in the plane per mm going up, in mm. Parts that
    lie `apart` are not joined: beside each, the other slice counts as empty.
    """
    down, up = gap_mm
    whole = down + up
    shift = np.array(shift_per_mm) / pitch_mm
    parts = [
        (below, up / whole, shift * down),
        (above, down / whole, -shift * up),
    ]
    mixed = np.zeros(below.shape, dtype=np.float32)
    for shape, weight, moved in parts:
        distance = signed_distance(shape, pitch_mm, TAPER * whole)
        if apart:
            distance = np.minimum(distance, TAPER * whole)
        if moved.any():
            distance = ndimage.shift(distance, moved, order=1, mode="nearest")
        mixed += weight * distance
    return mixed


def fill_between(
    mask: Mask,
    left_out: Collection[int],
    at_mm: NDArray[np.float64],
    pitch_mm: tuple[float, float],
    shift_per_mm: tuple[float, float] = (0.0, 0.0),
) -> Mask:
    """`mask` (X, Y, Z) with the slices `left_out` interpolated; `at_mm` (Z,) is where slices lie.

    A slice that has no good one on either side stays empty.
    """
    filled = mask.copy()
    for k in left_out:
        distance = distance_across(mask, k, left_out, at_mm, pitch_mm, shift_per_mm)
        filled[:, :, k] = False if distance is None else distance < 0
    return filled


def distance_across(
    mask: Mask,
    k: int,
    left_out: Collection[int],
    at_mm: NDArray[np.float64],
    pitch_mm: tuple[float, float],
    shift_per_mm: tuple[float, float],
    *,
    apart: bool = False,
) -> Array | None:
    """`foreseen` in slice k from the nearest good slices; None where either is missing or both
    are empty.
    """
    below, above = neighbours(k, left_out, mask.shape[2])
    if below is None or above is None or not mask[:, :, [below, above]].any():
        return None
    gap = (float(at_mm[k] - at_mm[below]), float(at_mm[above] - at_mm[k]))
    shapes = mask[:, :, below], mask[:, :, above]
    return foreseen(*shapes, gap, pitch_mm, shift_per_mm, apart=apart)


def mix(
    values: NDArray[np.float32], left_out: Collection[int], at_mm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """`values` (X, Y, Z) with the slices `left_out` mixed linearly from the good ones beside them.

    With a good slice on one side only, that one is taken.
    """
    if not left_out:
        return values
    mixed = values.copy()
    for k in left_out:
        below, above = neighbours(k, left_out, values.shape[2])
        if below is None or above is None:
            only = above if below is None else below
            if only is not None:
                mixed[:, :, k] = values[:, :, only]
            continue
        share = float((at_mm[k] - at_mm[below]) / (at_mm[above] - at_mm[below]))
        mixed[:, :, k] = (1 - share) * values[:, :, below] + share * values[:, :, above]
    return mixed
