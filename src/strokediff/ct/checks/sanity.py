"""What a head CT must look like before anything is computed from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import pixel_area_mm2
from strokediff.errors import InputError

PIXEL_LIMITS_MM = (0.2, 3.0)
SLICE_LIMITS_MM = (0.3, 15.0)
FARTHEST_MM = 1e6
MIN_SLICES = 5
MIN_PIXELS, MAX_PIXELS = 16, 2048
MAX_VOXELS = 512 * 512 * 1200


def check_size(path: Path, shape: tuple[int, ...], axis: int, min_slices: int = MIN_SLICES) -> None:
    """Refuse a grid that cannot be a head CT, before its voxels are read.

    `axis` is the stored axis along which the slices are stacked.
    """
    if 0 in shape:
        raise InputError(f"{path}: the image is empty, its shape is {shape}. Export it again.")
    if shape[axis] < min_slices:
        raise InputError(
            f"{path}: expected a stack of at least {min_slices} axial slices, got {shape[axis]} "
            f"(shape {shape}). Give the whole head, not single slices."
        )
    plane = [n for i, n in enumerate(shape) if i != axis]
    if min(plane) < MIN_PIXELS or max(plane) > MAX_PIXELS or np.prod(shape) > MAX_VOXELS:
        raise InputError(
            f"{path}: expected slices of {MIN_PIXELS} to {MAX_PIXELS} pixels a side and at most "
            f"{MAX_VOXELS / 1e6:.0f} million voxels, got shape {shape}. Crop or resample it."
        )


def check_affine(path: Path, affine: NDArray[np.float64]) -> None:
    """Refuse an affine that is not finite or does not span three dimensions."""
    if not np.isfinite(affine).all():
        raise InputError(f"{path}: the affine holds NaN or infinity. Rewrite the file's sform.")
    largest = float(np.abs(affine).max())
    if largest > FARTHEST_MM:
        raise InputError(
            f"{path}: the affine holds {largest:.3g} mm, further than any scanner is wide. "
            f"Rewrite the file's sform."
        )
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() < 1e-6 or abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        raise InputError(
            f"{path}: the affine is degenerate (column lengths {_list(sizes)} mm). Expected three "
            f"independent axes with a spacing; rewrite the file's sform."
        )


def check_spacing(path: Path, affine: NDArray[np.float64]) -> None:
    """Refuse spacing that is no head CT's; `affine` has its slices along the third column."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    increment = abs(np.linalg.det(affine[:3, :3])) / pixel_area_mm2(affine)
    low, high = PIXEL_LIMITS_MM
    pixels_fit = all(low <= s <= high for s in sizes[:2])
    if not pixels_fit or not SLICE_LIMITS_MM[0] <= increment <= SLICE_LIMITS_MM[1]:
        raise InputError(
            f"{path}: expected pixels of {low} to {high} mm and slices {SLICE_LIMITS_MM[0]} to "
            f"{SLICE_LIMITS_MM[1]} mm apart, got {_list(sizes[:2])} and {increment:.3f} mm. Check "
            f"that the header's spacing is right and in millimetres."
        )


def _list(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{v:.3g}" for v in values)
