"""Refuse a stack with holes, or slices that do not line up, and say of what is unusual in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from strokediff.ct.checks import sanity
from strokediff.ct.dicom.geometry import SIDEWAYS_TOLERANCE_PIXELS, StackGeometry
from strokediff.ct.dicom.headers import ScannedFiles, damage
from strokediff.errors import InputError


def check_geometry(path: Path, geometry: StackGeometry, found: ScannedFiles) -> list[str]:
    """Raise `InputError` for holes and slices beside the line; warnings of uneven spacing."""
    holes = geometry.gaps()
    if holes:
        raise InputError(f"{path}: {_missing(geometry, holes)}{_perhaps_damaged(found)}")
    affine = geometry.affine_ras()
    sanity.check_affine(path, affine)
    first = geometry.groups[0][0]
    sanity.check_size(path, (first.columns, first.rows, geometry.n_slices), axis=2)
    sanity.check_spacing(path, affine)
    largest = float(geometry.increments_mm.max())
    if largest > sanity.SLICE_LIMITS_MM[1]:
        raise InputError(
            f"{path}: two neighbouring slices are {largest:.1f} mm apart. Expected at most "
            f"{sanity.SLICE_LIMITS_MM[1]:g} mm: slices are missing; copy the whole series."
            f"{_perhaps_damaged(found)}"
        )
    pixel = float(np.linalg.norm(affine[:3, 0]))
    if geometry.sideways_mm > SIDEWAYS_TOLERANCE_PIXELS * pixel:
        raise InputError(
            f"{path}: the slices do not line up: one lies {geometry.sideways_mm:.1f} mm beside "
            f"the line through the first and last. Expected one straight stack; this looks like "
            f"several acquisitions in one series. Give one of them."
        )
    warnings = []
    if not geometry.is_even:
        steps = geometry.increments_mm
        warnings.append(
            f"the slice spacing is uneven ({steps.min():.2f} to {steps.max():.2f} mm along the "
            f"normal): volumes use each slice's own increment, and NIfTI output is resampled to "
            f"a regular grid"
        )
    if any(h.decimal_comma for group in geometry.groups for h in group):
        warnings.append("numbers in the headers are written with a decimal comma, and read so")
    return warnings


def _missing(geometry: StackGeometry, holes: list[int]) -> str:
    k = holes[0]
    steps = geometry.increments_mm
    usual = float(np.median(np.delete(steps, holes))) if len(holes) < len(steps) else steps.min()
    before, after = geometry.groups[k][0], geometry.groups[k + 1][0]
    count = sum(max(1, round(float(steps[h]) / usual) - 1) for h in holes)
    return (
        f"about {count} slices are missing: between {before.path.name} (InstanceNumber "
        f"{before.instance_number}) and {after.path.name} ({after.instance_number}) lie "
        f"{steps[k]:.2f} mm, elsewhere {usual:.2f} mm. Expected a complete series; copy it again."
    )


def _perhaps_damaged(found: ScannedFiles) -> str:
    return f" They may be among {damage(found)}." if found.damaged else ""
