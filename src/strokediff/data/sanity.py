"""What a head CT must look like before anything is computed from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.data.volume import pixel_area_mm2
from strokediff.errors import InputError

AIR_HU = -1024.0
PIXEL_LIMITS_MM = (0.2, 3.0)
SLICE_LIMITS_MM = (0.3, 15.0)
MIN_SLICES = 5
MIN_PIXELS, MAX_PIXELS = 16, 2048
MAX_VOXELS = 512 * 512 * 1200
AIR_BELOW_HU = -200.0
BRAIN_HU = (0.0, 100.0)
MIN_BRAIN_FRACTION = 0.005


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


def check_hounsfield(path: Path, values: NDArray[np.float32]) -> None:
    """Refuse voxels that are not a whole head's Hounsfield units; says what came.

    A head in HU has air (about -1000) around it, brain (0 to 100) and bone in it.
    """
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        raise InputError(
            f"{path}: {bad} of {values.size} voxels are NaN or infinite. Expected finite "
            f"Hounsfield units; set the background to -1024 and save again."
        )
    low, high = float(values.min()), float(values.max())
    came = f"the values run from {low:g} to {high:g}"
    if low > AIR_BELOW_HU:
        raise InputError(
            f"{path}: not a whole head in Hounsfield units: {came}. Expected air near -1000 "
            f"around the head. {_what_it_looks_like(low, high)}"
        )
    brain = np.count_nonzero((values >= BRAIN_HU[0]) & (values <= BRAIN_HU[1])) / values.size
    if high < 200 or brain < MIN_BRAIN_FRACTION:
        raise InputError(
            f"{path}: not a head CT in Hounsfield units: {came}, and {100 * brain:.1f} % of the "
            f"voxels lie between 0 and 100 HU. Expected air near -1000, brain at 20 to 45 and "
            f"bone above 300; check that this is the right image and its rescale slope."
        )


def _what_it_looks_like(low: float, high: float) -> str:
    if low >= 0 and high <= 1.001:
        return "This looks like an image scaled to 0..1; give the original HU."
    if low >= 0 and high <= 255:
        return "This looks like an 8-bit picture of one window; its HU are lost. Give the CT."
    if low >= 0 and 1000 < high <= 4095:
        return (
            "This looks like CT stored from 0 to 4095 without its rescale (often HU + 1024), or "
            "Cormack units. Subtract 1024, or set scl_inter = -1024, if that is how it was made."
        )
    if -200 < low < 0 and high <= 400:
        return "This looks skull-stripped or windowed; give the head with skull and air."
    return "Check the modality and the rescale slope and intercept; give the original CT."


def _list(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{v:.3g}" for v in values)
