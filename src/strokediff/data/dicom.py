"""A DICOM series to a `Volume`: find, choose, place, decode."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from strokediff.data import sanity
from strokediff.data.dicom_geometry import SIDEWAYS_TOLERANCE_PIXELS, StackGeometry
from strokediff.data.dicom_headers import Scan, SliceHeader, scan, walk_files
from strokediff.data.dicom_pixels import PixelReader
from strokediff.data.dicom_series import Choice, choose
from strokediff.data.dicom_stacks import split_series
from strokediff.data.volume import Source, Volume
from strokediff.errors import InputError

TILT_WORTH_SAYING_DEG = 0.5


def read_dicom_series(
    source: str | Path | Iterable[str | Path], series_uid: str | None = None
) -> Volume:
    """Read the axial non-contrast head CT from a folder (searched below), a file or files.

    Other series and other files may lie there; `Volume.source.details` tells which series was
    chosen and why (`series_explanation`, `series_choice`). The geometry comes from
    ImagePositionPatient and ImageOrientationPatient alone. Raises `InputError` where no series
    suits, slices are missing or contradict each other, or a file of the series is damaged.
    """
    path, files = _files(source)
    found = scan(files)
    if not found.slices:
        raise _no_dicom(path, found)
    if series_uid is None:
        _one_patient(path, found)
    choice = choose(split_series(found.slices), path, series_uid)
    geometry = choice.stack.geometry
    if geometry is None:
        raise AssertionError("a chosen stack has geometry")
    warnings = [*_damaged(found), *choice.warnings, *_check_geometry(path, geometry)]
    affine = geometry.affine_ras()
    stored, pixel_warnings = _pixels(geometry)
    sanity.check_hounsfield(path, stored)
    volume_source = Source(path, "dicom", _shape(stored), affine, _details(choice, geometry))
    even = geometry.is_even
    return Volume.from_source_array(
        stored,
        volume_source,
        slice_increments_mm=None if even else geometry.local_increments_mm(),
        slice_origins_mm=None if even else geometry.origins_ras(),
        warnings=tuple(warnings + pixel_warnings),
    )


def _files(source: str | Path | Iterable[str | Path]) -> tuple[Path, list[Path]]:
    """What to call the input in messages, and the files to look at."""
    if not isinstance(source, (str, Path)):
        files = [Path(f) for f in source]
        if not files:
            raise InputError("expected DICOM files, got an empty list. Give a folder of them.")
        return _common_folder(files), files
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path}: no such folder. Expected a folder with a head CT in DICOM.")
    return path, [path] if path.is_file() else list(walk_files(path))


def _common_folder(files: list[Path]) -> Path:
    parents = [set(f.parents) for f in files]
    return max(set.intersection(*parents), key=lambda p: len(p.parts))


def _no_dicom(path: Path, found: Scan) -> InputError:
    if found.damaged:
        names = ", ".join(p.name for p in list(found.damaged)[:3])
        return InputError(
            f"{path}: {len(found.damaged)} DICOM files are empty or damaged ({names} ...) and "
            f"none can be read. Copy the series again."
        )
    if found.n_files == 0:
        return InputError(f"{path}: the folder is empty. Expected the DICOM files of a head CT.")
    return InputError(
        f"{path}: none of its {found.n_files} files is DICOM. Expected the DICOM files of a head "
        f"CT, or a NIfTI file."
    )


def _one_patient(path: Path, found: Scan) -> None:
    patients = {h.patient_id for h in found.slices} - {""}
    if len(patients) > 1:
        raise InputError(
            f"{path}: holds DICOM files of {len(patients)} patients (by PatientID). Expected one; "
            f"read each patient on its own, or name a series with --series."
        )


def _damaged(found: Scan) -> list[str]:
    if not found.damaged:
        return []
    names = ", ".join(p.name for p in list(found.damaged)[:3])
    more = " ..." if len(found.damaged) > 3 else ""
    return [
        f"{len(found.damaged)} empty or damaged DICOM files were left out ({names}{more}); if "
        f"they belong to the ends of this series, the head is cut there"
    ]


def _check_geometry(path: Path, geometry: StackGeometry) -> list[str]:
    """Refuse holes and slices that do not line up; warn of uneven spacing and tilt."""
    holes = geometry.gaps()
    if holes:
        raise InputError(f"{path}: {_missing(geometry, holes)}")
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


def _pixels(geometry: StackGeometry) -> tuple[NDArray[np.float32], list[str]]:
    """HU (columns, rows, slices); identical duplicates are dropped, different ones refused."""
    first = geometry.groups[0][0]
    stack = np.empty((geometry.n_slices, first.rows, first.columns), dtype=np.float32)
    reader = PixelReader()
    dropped = 0
    for k, group in enumerate(geometry.groups):
        stack[k] = reader.hu(group[0])
        for double in group[1:]:
            _same_or_refuse(stack[k], reader.hu(double), group[0], double)
            dropped += 1
    warnings = []
    if dropped:
        warnings.append(f"{dropped} duplicate slices (same position, same pixels) were dropped")
    paths = {header.path for group in geometry.groups for header in group}
    if reader.no_rescale and reader.no_rescale != paths:
        raise InputError(
            f"{min(reader.no_rescale)}: has no RescaleSlope and RescaleIntercept, while other "
            f"slices of its series have them. Expected all or none; copy the series again."
        )
    if reader.no_rescale:
        warnings.append(
            "the files have no RescaleSlope and RescaleIntercept: stored values are taken as HU"
        )
    return stack.transpose(2, 1, 0), warnings


def _same_or_refuse(
    hu: NDArray[np.float32], other: NDArray[np.float32], a: SliceHeader, b: SliceHeader
) -> None:
    if not np.array_equal(hu, other):
        raise InputError(
            f"{b.path}: lies at the same position as {a.path.name} but its pixels differ. "
            f"Expected one slice a position; remove one of the two."
        )


def _shape(stored: NDArray[np.float32]) -> tuple[int, int, int]:
    columns, rows, slices = stored.shape
    return columns, rows, slices


def _details(choice: Choice, geometry: StackGeometry) -> dict[str, Any]:
    """What `result.json` tells of the input; never the patient's name or ID."""
    head = geometry.groups[0][0]
    used = {h.path for group in geometry.groups for h in group}
    tilt = geometry.tilt_deg
    return {
        "format": "DICOM",
        "series_uid": head.series_uid,
        "study_uid": head.study_uid,
        "series_description": head.description,
        "manufacturer": head.manufacturer,
        "model": head.model,
        "kernel": head.kernel,
        "transfer_syntax": str(pydicom.uid.UID(head.transfer_syntax).name),
        "image_type": list(head.image_type),
        "n_files": len(used),
        "n_slices": geometry.n_slices,
        "tilt_deg": round(tilt, 2) if abs(tilt) >= TILT_WORTH_SAYING_DEG else 0.0,
        "oblique_deg": round(geometry.axial_angle_deg, 2),
        "even": geometry.is_even,
        "increments_mm": _increments(geometry),
        "series_explanation": choice.explanation,
        "series_choice": choice.considered,
    }


def _increments(geometry: StackGeometry) -> list[float]:
    """Every step along the normal where they differ, else the one step."""
    steps = geometry.increments_mm
    shown = [steps.mean()] if geometry.is_even else steps
    return [round(float(s), 3) for s in shown]
