"""Where a NIfTI header says that its voxels lie, and what to do when it says two things.

A header has up to three places for the voxel size: the sform's columns, pixdim (which the qform
uses) and the unit of both. Where they contradict each other, the head itself decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.ct import axes
from strokediff.ct.arrays import Affine
from strokediff.ct.checks import sanity
from strokediff.ct.checks.head_size import HeadSize
from strokediff.ct.nifti.file import NiftiFile
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError

SHEAR_TOLERANCE = 1e-3
"""Cosine between two axes above which they are not called perpendicular (0.06 degrees)."""
SAME_SPACING = 0.01
"""Relative difference up to which two voxel sizes are one, rounded."""
UNITS_MM = {1: ("metres", 1e3), 3: ("micrometres", 1e-3)}
"""Codes of xyzt_units that are not millimetres."""


@dataclass(frozen=True)
class Placement:
    """An affine (4, 4) to RAS+ mm, which of the header's fields it is from, and what to warn of.

    `otherwise` is the affine of the header's other voxel size, where it has two.
    """

    affine: Affine
    origin: str
    warnings: tuple[str, ...] = ()
    otherwise: Affine | None = None

    def stored_axis(self) -> int:
        """The stored axis along which the slices are stacked."""
        return axes.slice_axis(self.affine)[0]

    def check(self, file: NiftiFile) -> None:
        """Refuse a voxel size that is no head CT's, unless the header has another that is."""
        problem = _refusal(file, self.affine)
        if problem and (self.otherwise is None or _refusal(file, self.otherwise)):
            raise problem

    def decided(self, file: NiftiFile, hu: NDArray[np.float32]) -> Placement:
        """The placement to use: of two voxel sizes that one which the head in `hu` can have."""
        if self.otherwise is None:
            return self
        first, second = (_head(file, hu, a) for a in (self.affine, self.otherwise))
        mine, other = _sizes(self.affine), _sizes(self.otherwise)
        says = f"the header contradicts itself: the sform's voxels are {mine} mm, pixdim's {other}"
        if second.fits and not first.fits:
            text = (
                f"{says}; pixdim is used, as with the sform {first}: no human head. "
                f"Correct the sform; results have pixdim's spacing, and lie beside the input where "
                f"the sform is believed"
            )
            return Placement(self.otherwise, "pixdim", (*self.warnings, text))
        if problem := _refusal(file, self.affine):
            raise problem
        why = "as NIfTI prescribes; both make a possible head, so check which is right"
        if first.fits and not second.fits:
            why = f"as with pixdim {second}: no human head"
        elif not first.fits:
            why = "as NIfTI prescribes; no human head has the size that either gives"
        text = f"{says}; the sform is used, {why}"
        return Placement(self.affine, self.origin, (*self.warnings, text))


def placement(file: NiftiFile) -> Placement:
    """What the header says: the sform where its code is above 0, else the qform, else pixdim.

    Raises `InputError` where that is degenerate, not finite, or has no positive voxel size.
    """
    sform, qform = (int(file.header[f"{name}_code"]) for name in ("sform", "qform"))
    affine, other, warnings = _affines(file, sform, qform)
    warnings += _check_pixdim(file, sform)
    sanity.check_affine(file.path, affine)
    pixdim = np.asarray(file.raw["pixdim"][1:4], dtype=np.float64)
    otherwise = _respaced(affine, pixdim, other) if sform > 0 else None
    factor, said = _unit(file, affine, otherwise)
    affine = _scaled(affine, factor)
    otherwise = None if otherwise is None else _scaled(otherwise, factor)
    if other is not None:
        warnings += _disagreement(affine, _scaled(other, factor), file.shape)
    shear = shear_deg(affine)
    if shear > 0:
        warnings.append(
            f"the affine is sheared by {shear:.1f} degrees (as after a tilted gantry); it is "
            f"kept as it is, and the output has the same affine"
        )
    origin = "sform" if sform > 0 else "qform" if qform > 0 else "pixdim"
    return Placement(affine, origin, (*warnings, *said), otherwise)


def shear_deg(affine: Affine) -> float:
    """Largest departure from a right angle between two axes, degrees; 0 within rounding."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not (np.isfinite(lengths).all() and lengths.min() > 0):
        return 0.0
    units = affine[:3, :3] / lengths
    cosine = float(np.abs(np.triu(units.T @ units, 1)).max())
    return float(np.degrees(np.arcsin(min(cosine, 1.0)))) if cosine > SHEAR_TOLERANCE else 0.0


@dataclass(frozen=True)
class _Head:
    """The head's size with one of two spacings, and whether that is a head's."""

    size: HeadSize | None
    fits: bool

    def __str__(self) -> str:
        return "the voxels are no scan's" if self.size is None else f"the head would be {self.size}"


def _head(file: NiftiFile, hu: NDArray[np.float32], affine: Affine) -> _Head:
    if _refusal(file, affine):
        return _Head(None, False)
    size = HeadSize.of(CT.from_source_array(hu, Source(file.path, "nifti", file.shape, affine)))
    return _Head(size, size is not None and size.plausible)


def _affines(file: NiftiFile, sform: int, qform: int) -> tuple[Affine, Affine | None, list[str]]:
    """The affine, the qform if it is another, warnings."""
    affine, other = file.affine, None
    if sform > 0 and qform > 0:
        try:
            other = np.asarray(file.header.get_qform(), dtype=np.float64)
        except (ValueError, ArithmeticError, nib.spatialimages.HeaderDataError):
            other = None
        if other is not None and not np.isfinite(other).all():
            other = None
    warnings = []
    if sform <= 0 and qform <= 0:
        warnings.append(
            "the header has neither sform nor qform: orientation and origin are assumed, so left "
            "and right may be swapped"
        )
    return affine, other, warnings


def _check_pixdim(file: NiftiFile, sform: int) -> list[str]:
    """Look at the spacing as it is in the file: nibabel turns zeros into 1 mm."""
    pixdim = np.asarray(file.raw["pixdim"][1:4], dtype=np.float64)
    if _is_spacing(pixdim):
        return []
    text = f"the header's pixdim is {np.array2string(pixdim, precision=3)}, not a positive spacing"
    if sform <= 0:
        raise InputError(
            f"{file.path}: {text}. Expected the voxel size in mm; rewrite the header or give an "
            "sform."
        )
    return [f"{text}; the sform's spacing is used"]


def _respaced(affine: Affine, pixdim: NDArray[np.float64], qform: Affine | None) -> Affine | None:
    """The affine with pixdim's voxel size if that is another: the qform, or the sform's axes."""
    if not _is_spacing(pixdim):
        return None
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    # Of a sheared stack, pixdim may be the distance between planes.
    planes = 1 / np.linalg.norm(np.linalg.inv(affine[:3, :3]), axis=1)
    same = [np.isclose(pixdim, s, rtol=SAME_SPACING, atol=0) for s in (sizes, planes)]
    if np.logical_or(*same).all():
        return None
    if qform is not None:
        return qform
    out = affine.copy()
    out[:3, :3] *= pixdim / sizes
    return out


def _is_spacing(pixdim: NDArray[np.float64]) -> bool:
    return bool(((pixdim > 0) & (pixdim <= sanity.FARTHEST_MM)).all())


def _unit(file: NiftiFile, affine: Affine, otherwise: Affine | None) -> tuple[float, list[str]]:
    """What to multiply the header's lengths with to have mm, and what to say of it."""
    unit = UNITS_MM.get(int(file.raw["xyzt_units"]) & 7)
    if unit is None:
        return 1.0, []
    name, factor = unit
    plain = [a for a in (affine, otherwise) if a is not None and not _refusal(file, a)]
    if plain or _refusal(file, _scaled(affine, factor)):
        return 1.0, [f"the header's unit of length is {name}, but its numbers are read as mm"]
    return factor, [f"the header's unit of length is {name}: the voxel size was converted to mm"]


def _scaled(affine: Affine, factor: float) -> Affine:
    """The affine with all lengths multiplied."""
    out = affine.copy()
    out[:3] *= factor
    return out


def _refusal(file: NiftiFile, affine: Affine) -> InputError | None:
    """Why the affine's voxel size is no head CT's, or None."""
    try:
        sanity.check_affine(file.path, affine)
        sanity.check_spacing(file.path, axes.canonical_affine(affine, file.shape))
    except InputError as problem:
        return problem
    return None


def _disagreement(sform: Affine, qform: Affine, shape: tuple[int, ...]) -> list[str]:
    """A warning where sform and qform put a corner of the image in different places."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape[:3]) - 1)
    apart = corners @ (sform - qform)[:3, :3].T + (sform - qform)[:3, 3]
    distance = float(np.linalg.norm(apart, axis=1).max())
    if not distance > 1.0:
        return []
    text = f"sform and qform disagree by up to {distance:.1f} mm; axes and origin are the sform's"
    if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
        text += " (one of them mirrors the head: check left and right)"
    return [text]


def _sizes(affine: Affine) -> str:
    return " x ".join(f"{s:.3g}" for s in np.linalg.norm(affine[:3, :3], axis=0))
