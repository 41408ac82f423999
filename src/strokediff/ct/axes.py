"""The one file that knows about axis order and RAS/LPS.

Everywhere else in the project axis 0 of a volume runs to the patient's right, 1 to the front, 2 to
the top, as far as its affine allows (the axes closest to RAS+), and millimetres are RAS+. DICOM and
ITK count them in LPS; files store axes in any order and direction; pictures, DICOM and networks
have slices first, then rows, then columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.ct.arrays import Affine

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Its own inverse."""
RAS = nib.orientations.axcodes2ornt(("R", "A", "S"))


def lps_affine(affine: Affine) -> Affine:
    """An affine (4, 4) to RAS+ mm as one to LPS+ mm, or the other way."""
    return np.asarray(LPS_TO_RAS @ affine)


def lps_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 3) in RAS+ mm as LPS+ mm, or the other way."""
    return np.asarray(points @ LPS_TO_RAS[:3, :3].T)


def stack_affine(
    directions: Sequence[NDArray[np.float64]] | NDArray[np.float64],
    spacing_mm: tuple[float, float],
    step: NDArray[np.float64],
    origin: NDArray[np.float64],
) -> Affine:
    """(column, row, slice) of a stack of DICOM slices to RAS+ mm (4, 4).

    All in LPS: the unit `directions` along a row and down a column, the `step` from slice to slice,
    mm, and the first slice's `origin`, mm; `spacing_mm` is between rows, then between columns.
    """
    between_rows, between_columns = spacing_mm
    lps = np.eye(4)
    lps[:3, 0] = directions[0] * between_columns
    lps[:3, 1] = directions[1] * between_rows
    lps[:3, 2] = step
    lps[:3, 3] = origin
    return lps_affine(lps)


def transposed(array: NDArray[Any]) -> NDArray[Any]:
    """(X, Y, Z) as slices of rows and columns (Z, Y, X), or the other way; a view."""
    return array.transpose()


def as_scanned(array: NDArray[Any]) -> NDArray[Any]:
    """(X, Y, Z) on axes RAS+ as a scanner stores slices (Z, Y, X): rows to the left, columns to the
    back; a view."""
    return transposed(array[::-1, ::-1])


def codes(affine: Affine) -> str:
    """Where the stored axes run, "RAS" or "LPS", say."""
    return "".join(nib.aff2axcodes(affine))


def slice_axis(affine: Affine) -> tuple[int, int]:
    """The stored axis along which slices are stacked, and 1 where it runs upwards, -1 downwards."""
    found = nib.orientations.io_orientation(affine)
    axis = int(np.flatnonzero(found[:, 0] == 2)[0])
    return axis, -1 if found[axis, 1] < 0 else 1


def drops_an_axis(affine: Affine) -> bool:
    """Whether the three axes of an affine are not independent, so that they have no order."""
    return bool(np.isnan(nib.orientations.io_orientation(affine)).any())


def canonical(array: NDArray[Any], affine: Affine) -> NDArray[Any]:
    """An array stored with `affine`, on the axes closest to RAS+; a view."""
    found = nib.orientations.io_orientation(affine)
    return np.asarray(nib.orientations.apply_orientation(array, found))


def canonical_affine(affine: Affine, shape: tuple[int, ...]) -> Affine:
    """The affine of `canonical` arrays whose stored `shape` this is."""
    found = nib.orientations.io_orientation(affine)
    return np.asarray(affine @ nib.orientations.inv_ornt_aff(found, shape))


def stored(array: NDArray[Any], affine: Affine) -> NDArray[Any]:
    """Undo `canonical`: back to the axes that are stored with `affine`; a view."""
    return np.asarray(nib.orientations.apply_orientation(array, _back(affine)))


def stored_affine(own: Affine, affine: Affine, shape: tuple[int, ...]) -> Affine:
    """The affine of `stored(array, affine)` for an array of canonical `shape` and affine `own`."""
    return np.asarray(own @ nib.orientations.inv_ornt_aff(_back(affine), shape))


def _back(affine: Affine) -> NDArray[Any]:
    found = nib.orientations.io_orientation(affine)
    return np.asarray(nib.orientations.ornt_transform(RAS, found))
