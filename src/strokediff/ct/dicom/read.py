"""A DICOM series to a `CT`: find, choose, place, decode."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from strokediff.ct.checks.hounsfield import as_hounsfield
from strokediff.ct.dicom.assembly import assemble_hu
from strokediff.ct.dicom.checks import check_geometry
from strokediff.ct.dicom.files import files_of_dicomdir, is_dicomdir, walk_files
from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import StackGeometry
from strokediff.ct.dicom.headers import ScannedFiles, damage, scan
from strokediff.ct.dicom.patients import n_patient_ids, patients_in
from strokediff.ct.dicom.series import ChosenSeries, choose_series
from strokediff.ct.dicom.stacks import Stack, split_series
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError

TILT_WORTH_SAYING_DEG = 0.5


def read_dicom_series(
    source: str | Path | Iterable[str | Path], series_uid: str | None = None
) -> CT:
    """Read the axial non-contrast head CT from a folder (searched below), a file or files.

    Other series and other files may lie there; `CT.source.details` tells which series was
    chosen and why (`series_explanation`, `series_choice`). The geometry comes from
    ImagePositionPatient and ImageOrientationPatient alone. Raises `InputError` where no series
    suits, slices are missing or contradict each other, or a file of the series is damaged.
    """
    path, files = _files(source)
    return read_chosen(judge(path, scan(files), series_uid))


def judge(
    path: Path,
    found: ScannedFiles,
    series_uid: str | None = None,
    stacks: list[Stack] | None = None,
) -> ChosenSeries:
    """The series to read of all that was found, checked as far as headers go; no pixels are read.

    `stacks` are those of `found.slices` where they are known. Raises `InputError` as
    `read_dicom_series`, but for what only pixels tell.
    """
    if not found.slices:
        raise _no_dicom(path, found)
    asked = [h for h in found.slices if series_uid is None or h.series_uid == series_uid]
    of_patient = _one_patient(path, asked)
    stacks = split_series(found.slices) if stacks is None else stacks
    chosen = choose_series(stacks, path, series_uid)
    of_geometry = check_geometry(path, _geometry_of(chosen), found)
    warnings = (*_damaged(found), *of_patient, *chosen.warnings, *of_geometry)
    return replace(chosen, warnings=warnings)


def read_chosen(chosen: ChosenSeries) -> CT:
    """Read the pixels of a series that `judge` chose; its other files are not opened."""
    geometry = _geometry_of(chosen)
    stored, of_pixels = assemble_hu(geometry)
    stored, of_hu = as_hounsfield(chosen.path, stored)
    details = _details(chosen, geometry)
    even = geometry.is_even
    return CT.from_source_array(
        stored,
        Source(chosen.path, "dicom", _shape(stored), geometry.affine_ras(), details),
        slice_increments_mm=None if even else geometry.local_increments_mm(),
        slice_origins_mm=None if even else geometry.origins_ras(),
        warnings=(*chosen.warnings, *of_pixels, *of_hu),
    )


def _geometry_of(chosen: ChosenSeries) -> StackGeometry:
    if chosen.stack.geometry is None:
        raise AssertionError("a chosen stack has geometry")
    return chosen.stack.geometry


def _files(source: str | Path | Iterable[str | Path]) -> tuple[Path, list[Path]]:
    """What to call the input in messages, and the files to look at."""
    if not isinstance(source, (str, Path)):
        files = [Path(f) for f in source]
        if not files:
            raise InputError("expected DICOM files, got an empty list. Give a folder of them.")
        return common_folder(files), files
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path}: no such folder. Expected a folder with a head CT in DICOM.")
    if path.is_dir():
        return path, list(walk_files(path))
    if not path.is_file():
        raise InputError(
            f"{path}: is a pipe, socket or device. Expected a folder with a head CT in DICOM."
        )
    return path, [path, *files_of_dicomdir(path)] if is_dicomdir(path) else [path]


def common_folder(files: Iterable[Path]) -> Path:
    """The lowest folder that holds all files."""
    return Path(os.path.commonpath([f.parent for f in files]))


def _no_dicom(path: Path, found: ScannedFiles) -> InputError:
    if found.damaged:
        return InputError(
            f"{path}: holds {damage(found)}, and none that can be read. Copy the series again."
        )
    if found.directories:
        return InputError(
            f"{path}: only a DICOMDIR, and none of the files that it names. Expected them in the "
            f"folders beside it; copy the whole medium."
        )
    if found.n_files == 0:
        return InputError(f"{path}: the folder is empty. Expected the DICOM files of a head CT.")
    return InputError(
        f"{path}: none of its {found.n_files} files is DICOM. Expected the DICOM files of a head "
        f"CT, or a NIfTI file."
    )


def _one_patient(path: Path, headers: list[SliceHeader]) -> list[str]:
    """Refuse several patients; warn where a series names several but is one head."""
    n = patients_in(headers)
    if n > 1:
        raise InputError(
            f"{path}: holds DICOM files of {n} patients (by PatientID). Expected one; "
            f"read each patient on its own, or name a series with --series."
        )
    ids = n_patient_ids(headers)
    if ids < 2:
        return []
    return [
        f"the series has {ids} PatientIDs; its slices complete each other, so they are read as one "
        f"head. Make sure that they are of one patient"
    ]


def _damaged(found: ScannedFiles) -> list[str]:
    if not found.damaged:
        return []
    return [
        f"{damage(found)} were left out; if they belong to the ends of this series, the head is "
        f"cut there"
    ]


def _shape(stored: NDArray[np.float32]) -> tuple[int, int, int]:
    columns, rows, slices = stored.shape
    return columns, rows, slices


def _details(chosen: ChosenSeries, geometry: StackGeometry) -> dict[str, Any]:
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
        "series_explanation": chosen.explanation,
        "series_choice": chosen.considered,
    }


def _increments(geometry: StackGeometry) -> list[float]:
    """Every step along the normal where they differ, else the one step."""
    steps = geometry.increments_mm
    shown = [steps.mean()] if geometry.is_even else steps
    return [round(float(s), 3) for s in shown]
