"""Reading masks and probabilities that were drawn or computed elsewhere, and comparing grids.

They stay on the axes they were stored on: two files can be compared voxel by voxel only if they
lie on one grid, and `check_same_grid` refuses anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.data.quiet import quiet
from strokediff.errors import InputError

GRID_TOLERANCE = 0.05
"""How far a corner of one image may lie from the other's, in units of the smallest spacing."""

ROUNDING = 1e-3
"""How far a probability may lie outside [0, 1]: averages in float32 overshoot."""


@dataclass(frozen=True)
class Grid:
    """A NIfTI file's array (X, Y, Z), as stored, and its affine (4, 4) to RAS+ mm."""

    path: Path
    array: NDArray[Any]
    affine: NDArray[np.float64]


def read_mask(path: Path) -> Grid:
    """Read a binary mask as bool; its values must be 0 and 1, or 0 and 255.

    Raises `InputError` for a file that is unreadable, not 3D, has NaN or holds other values.
    """
    grid = _read_3d(path)
    values = np.unique(grid.array)
    if not (np.isin(values, (0, 1)).all() or np.isin(values, (0, 255)).all()):
        shown = ", ".join(f"{v:g}" for v in values[:6]) + (", ..." if values.size > 6 else "")
        raise InputError(
            f"{path}: expected a binary mask with values 0 and 1 (or 0 and 255), got "
            f"{values.size} values: {shown}. Choose the label to evaluate and write it as 0 and 1."
        )
    return Grid(path=path, array=grid.array != 0, affine=grid.affine)


def read_labels(path: Path) -> Grid:
    """Read a mask of several classes as int32; its values must be whole numbers."""
    grid = _read_3d(path)
    with np.errstate(invalid="ignore"):  # beyond int32: differs below
        values = grid.array.astype(np.int32)
    if not np.array_equal(values, grid.array):
        raise InputError(
            f"{path}: expected a mask of whole numbers, one a class, got values such as "
            f"{float(grid.array[values != grid.array][0]):g}. Give the labels, not probabilities."
        )
    return Grid(path=path, array=values, affine=grid.affine)


def read_probability(path: Path) -> Grid:
    """Read a map of probabilities; raises `InputError` as `read_mask`, or outside [0, 1]."""
    grid = _read_3d(path)
    low, high = float(grid.array.min()), float(grid.array.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(
            f"{path}: expected probabilities from 0 to 1, got values from {low:g} to {high:g}. "
            "Give the network's probabilities, not its logits or percentages."
        )
    return grid


def check_same_grid(grid: Grid, reference: Grid) -> None:
    """Raise `InputError` unless both files have one shape and place their voxels alike.

    The corners of the two images must coincide within `GRID_TOLERANCE` of the smallest spacing.
    """
    if grid.array.shape != reference.array.shape:
        raise InputError(
            f"{grid.path}: expected the grid of {reference.path}, shape {reference.array.shape}, "
            f"got shape {grid.array.shape}. Resample it onto that grid (nearest neighbour)."
        )
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.array.shape) - 1)
    offset = nib.affines.apply_affine(grid.affine - reference.affine, corners)
    distance = float(np.linalg.norm(offset, axis=1).max())
    spacing = np.linalg.norm(reference.affine[:3, :3], axis=0)
    if distance > GRID_TOLERANCE * float(spacing.min()):
        codes = ["".join(nib.aff2axcodes(g.affine)) for g in (grid, reference)]
        raise InputError(
            f"{grid.path}: expected the grid of {reference.path}, but the same voxel lies up to "
            f"{distance:.3g} mm apart (axes {codes[0]} and {codes[1]}). "
            "Resample it onto that grid (nearest neighbour)."
        )


def _read_3d(path: Path) -> Grid:
    try:
        with quiet("nibabel.global"):
            image: Any = nib.load(path)
        affine = np.asarray(image.affine, dtype=np.float64)
        array = np.asanyarray(image.dataobj)
    except Exception as error:  # nibabel, gzip and zlib each raise their own kinds
        raise InputError(
            f"{path}: expected a NIfTI file, but it cannot be read "
            f"({type(error).__name__}: {error}). Copy or export it again."
        ) from error
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 or array.size == 0:
        raise InputError(
            f"{path}: expected a 3D image, got shape {array.shape}. Give one volume per file."
        )
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected numbers, got voxels of type {array.dtype}.")
    if not np.isfinite(array).all():
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise InputError(
            f"{path}: {count} voxels are NaN or infinite, and every voxel must have a value. "
            "Set them to 0 if they lie outside the lesion."
        )
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        raise InputError(f"{path}: the affine is singular or not finite. Rewrite the sform.")
    return Grid(path=path, array=array, affine=affine)
