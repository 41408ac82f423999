"""Spacing and order of slices that have a DICOM header each, beside pixels stored otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from strokediff.cohort.importing.names import by_number
from strokediff.ct.axes import stack_affine
from strokediff.util.quiet import quiet

UNEVEN = 0.05
"""Steps between slices may differ by this share of their median."""
HEADER_ROW = ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient")


def stack_of(folders: list[Path]) -> tuple[list[Path], NDArray[np.float64] | None]:
    """Slice folders from foot to head, and the affine of their stack (X, Y, Z) to RAS+ mm.

    Without a usable raw.dcm in each, or with uneven slices: by the number in the folder's name,
    and None.
    """
    numbered = sorted(folders, key=by_number)
    headers = [_header(folder / "raw.dcm") for folder in numbered]
    rows = [row for row in headers if row is not None]
    if len(rows) < max(2, len(numbered)):
        return numbered, None
    table = np.stack(rows)
    in_plane = table[:, :8]
    if np.abs(in_plane - in_plane[0]).max() > 1e-3:
        return numbered, None
    (down, along), row, column = in_plane[0, :2], in_plane[0, 2:5], in_plane[0, 5:8]
    heights = table[:, 8:] @ np.cross(row, column)
    order = np.argsort(heights)
    steps = np.diff(heights[order])
    if np.ptp(steps) > UNEVEN * np.median(steps) or np.median(steps) <= 0:
        return numbered, None
    positions = table[order, 8:]
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    affine = stack_affine((row, column), (down, along), step, positions[0])
    return [numbered[i] for i in order], affine


def _header(path: Path) -> NDArray[np.float64] | None:
    """(11,): pixel spacing down and along, row and column directions, position; or None."""
    try:
        with quiet("pydicom"):
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(HEADER_ROW))
            values = [getattr(header, tag) for tag in HEADER_ROW]
        row = np.concatenate([np.asarray(value, dtype=np.float64) for value in values])
    except (OSError, pydicom.errors.InvalidDicomError, AttributeError, TypeError, ValueError):
        return None
    return row if row.shape == (11,) and np.isfinite(row).all() and row[:2].min() > 0 else None
