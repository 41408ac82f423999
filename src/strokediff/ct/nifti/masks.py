"""Reading masks and probabilities that were drawn or computed elsewhere, and comparing grids.

They stay on the axes they were stored on: two files can be compared voxel by voxel only if they
lie on one grid, and `check_same_grid` refuses anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.ct import axes
from strokediff.ct.arrays import AIR_BELOW_HU
from strokediff.ct.checks.sanity import FARTHEST_MM
from strokediff.ct.nifti.file import NiftiFile, open_nifti
from strokediff.ct.nifti.header import UnreadableError
from strokediff.errors import InputError

GRID_TOLERANCE = 0.05
"""How far a corner of one image may lie from the other's, in units of the smallest spacing."""

ROUNDING = 1e-3
"""How far a probability may lie outside [0, 1]: averages in float32 overshoot."""

_ROUNDED = 1e-4
"""How far a label may lie from a whole number, in units of the label 1 or 255: a scaled file's
slope and its product are rounded. No probability map comes so close to 0 and 1 everywhere."""

HALF = 0.5
SEEN = 1000
"""Values that are counted before a mask is called one of many values."""


class Placed(Protocol):
    """What has a place in space: a `NiftiFile`, a `Source`, a `StoredArray`."""

    @property
    def path(self) -> Path:
        """What messages call it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As stored."""

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4) to RAS+ mm."""


@dataclass(frozen=True)
class StoredArray:
    """A NIfTI file's array (X, Y, Z), as stored, and its affine (4, 4) to RAS+ mm."""

    path: Path
    array: NDArray[Any]
    affine: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return self.array.shape


def read_mask(path: Path) -> StoredArray:
    """Read a binary mask as bool; its values must be 0 and 1, or 0 and 255, up to rounding.

    A scaled file (scl_slope 1/255, say) holds 1 only up to rounding. Raises `InputError` for a
    file that is unreadable, not 3D, too large, has NaN or holds other values.
    """
    file = _open(path)
    array = np.empty(file.n_voxels, np.bool_)
    seen: set[Any] = set()
    for place, run in _finite_runs(file):
        array[place] = run > HALF
        seen |= _distinct(run, SEEN - len(seen))
    values = sorted(seen)
    high = 255.0 if values[-1] > 1 + _ROUNDED else 1.0
    if any(min(abs(float(v)), abs(float(v) - high)) > _ROUNDED * high for v in values):
        shown = ", ".join(_short(v) for v in values[:6]) + (", ..." if len(values) > 6 else "")
        count = f"{len(values)} values" if len(values) < SEEN else f"at least {SEEN} values"
        raise InputError(
            f"{path}: expected a binary mask with values 0 and 1 (or 0 and 255), got {count}: "
            f"{shown}. Choose the label that is meant and write it as 0 and 1."
        )
    return StoredArray(path, array.reshape(file.shape, order="F"), file.affine)


def read_labels(path: Path) -> StoredArray:
    """Read a mask of several classes as int32; its values must be whole numbers up to rounding."""
    file = _open(path)
    array = np.empty(file.n_voxels, np.int32)
    for place, run in _finite_runs(file):
        whole = np.rint(run.astype(np.float64))
        allowed = _ROUNDED * np.clip(np.abs(whole), 1, 100)
        off = (np.abs(run - whole) > allowed) | (np.abs(whole) > np.iinfo(np.int32).max)
        if off.any():
            raise InputError(
                f"{path}: expected a mask of whole numbers, one a class, got values such as "
                f"{_short(run[off][0])}. Give the labels, not probabilities."
            )
        array[place] = whole
    return StoredArray(path, array.reshape(file.shape, order="F"), file.affine)


def read_probability(path: Path) -> StoredArray:
    """Read a map of probabilities; raises `InputError` as `read_mask`, or outside [0, 1]."""
    (found,) = read_probabilities(path, 1)
    return found


def read_probabilities(path: Path, kinds: int) -> list[StoredArray]:
    """A map of probabilities a kind of lesion: of several it is (X, Y, Z, kinds)."""
    file = _open(path, kinds)
    array = np.empty(file.n_voxels, np.float32)
    with np.errstate(over="ignore"):  # infinite then, and refused below
        for place, run in _finite_runs(file):
            array[place] = run
    low, high = float(array.min()), float(array.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(
            f"{path}: expected probabilities from 0 to 1, got values from {low:g} to {high:g}. "
            "Give the network's probabilities, not its logits or percentages."
        )
    whole = array.reshape(file.shape, order="F")
    return [StoredArray(path, part, file.affine) for part in np.split(whole, kinds, axis=2)]


def read_region(path: Path) -> StoredArray:
    """Where voxels count, as bool: a mask of 0 and 1, or of a CT in HU all but air.

    A CT is told from a mask by its air, which is below `AIR_BELOW_HU`. Raises `InputError` as
    `read_mask` does, and for a mask that is empty.
    """
    file = _open(path)
    array = np.empty(file.n_voxels, np.bool_)
    for place, run in _finite_runs(file):
        array[place] = run >= AIR_BELOW_HU
    if array.all():
        found = read_mask(path)
    else:
        found = StoredArray(path, array.reshape(file.shape, order="F"), file.affine)
    if not found.array.any():
        raise InputError(
            f"{path}: expected a mask of the voxels that count, or a CT in HU, found not one such "
            "voxel. Give the brain or the head as 1, or the scan."
        )
    return found


def check_same_grid(grid: Placed, reference: Placed) -> None:
    """Raise `InputError` unless both files have one shape and place their voxels alike.

    The corners of the two images must coincide within `GRID_TOLERANCE` of the smallest spacing.
    """
    if grid.shape != reference.shape:
        raise InputError(
            f"{grid.path}: expected the grid of {reference.path}, shape {reference.shape}, "
            f"got shape {grid.shape}. Resample it onto that grid (nearest neighbour)."
        )
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.shape) - 1)
    offset = nib.affines.apply_affine(grid.affine - reference.affine, corners)
    distance = float(np.linalg.norm(offset, axis=1).max())
    spacing = np.linalg.norm(reference.affine[:3, :3], axis=0)
    if distance > GRID_TOLERANCE * float(spacing.min()):
        codes = [axes.codes(g.affine) for g in (grid, reference)]
        raise InputError(
            f"{grid.path}: expected the grid of {reference.path}, but the same voxel lies up to "
            f"{distance:.3g} mm apart (axes {codes[0]} and {codes[1]}). "
            "Resample it onto that grid (nearest neighbour)."
        )


def _open(path: Path, channels: int = 1) -> NiftiFile:
    """The header, after the checks that are made of masks and probabilities alike."""
    if not path.is_file():
        what = "it is no plain file" if path.exists() else "there is none of that name"
        raise InputError(f"{path}: expected a NIfTI file, but {what}. Check the path.")
    try:
        file = open_nifti(path, channels)
    except UnreadableError as error:
        raise _unreadable(path, error) from error
    if not file.n_voxels:
        raise InputError(
            f"{path}: expected a 3D image, got shape {file.shape}. Give one volume per file."
        )
    affine = file.affine
    bounded = np.isfinite(affine).all() and np.abs(affine).max() <= FARTHEST_MM
    if not bounded or np.linalg.det(affine[:3, :3]) == 0:
        raise InputError(f"{path}: the affine is singular or not finite. Rewrite the sform.")
    return file


def _finite_runs(file: NiftiFile) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The file's runs; `InputError` after the last if any voxel is NaN or infinite."""
    count = 0
    try:
        for place, run in file.runs():
            bad = 0 if run.dtype.kind in "iub" else int(np.count_nonzero(~np.isfinite(run)))
            count += bad
            yield place, np.nan_to_num(run, nan=0, posinf=0, neginf=0) if bad else run
    except UnreadableError as error:
        raise _unreadable(file.path, error) from error
    if count:
        raise InputError(
            f"{file.path}: {count} voxels are NaN or infinite, and every voxel must have a value. "
            "Set them to 0 if they lie outside the lesion."
        )


def _distinct(run: NDArray[Any], most: int) -> set[Any]:
    """The values of a run, at most so many; two are found without sorting."""
    ends = {run.min(), run.max()}
    between = run[(run != run.min()) & (run != run.max())]
    found = [*ends, *(np.unique(between) if between.size else ())]
    return set(found[: max(most, 0)])


def _short(value: Any) -> str:
    """The fewest digits that tell this value from any other of its type."""
    if isinstance(value, np.floating):
        small = value != 0 and not 1e-4 <= abs(value) < 1e9
        write = np.format_float_scientific if small else np.format_float_positional
        return write(value, trim="-")
    return str(value)


def _unreadable(path: Path, error: UnreadableError) -> InputError:
    return InputError(
        f"{path}: expected a NIfTI file, but it cannot be read ({error.reason}). Copy or export "
        "it again."
    )
