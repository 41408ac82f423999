"""The header of a NIfTI file: found, read as stored, and its claims about the voxels checked."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np

from strokediff.ct.checks.sanity import MAX_VOXELS
from strokediff.errors import InputError
from strokediff.util.names import is_nifti_name

_HEADERS: tuple[tuple[Any, bytes], ...] = (
    (nib.Nifti1Header, b"n+1"),
    (nib.Nifti2Header, b"n+2"),
)
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    zlib.error,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


class UnreadableError(InputError):
    """The file is no NIfTI file, or is damaged; `reason` says how in few words."""

    reason = ""


def unreadable(path: Path, error: Exception) -> UnreadableError:
    """What to say of a file that cannot be read for `error`."""
    reason = f"{type(error).__name__}: {str(error)[:120]}"
    text = (
        f"{path}: expected a complete NIfTI file, but it is truncated, damaged or of another "
        f"format ({reason}). Copy or export it again."
    )
    if isinstance(error, PermissionError):
        text = f"{path}: no permission to read it. Change the file's permissions."
    problem = UnreadableError(text)
    problem.reason = reason
    return problem


def shape_3d(path: Path, shape: tuple[int, ...], channels: int = 1) -> tuple[int, int, int]:
    """The image's three dimensions, bounded; trailing dimensions of length 1 are dropped.

    With several `channels` they are the fourth dimension, and follow each other along the third.
    """
    core = shape
    while len(core) > 3 and core[-1] == 1:
        core = core[:-1]
    if channels > 1:
        if len(core) != 4 or core[3] != channels:
            raise InputError(
                f"{path}: expected a map of {channels} channels, (X, Y, Z, {channels}), got shape "
                f"{shape}. Give one channel a kind of lesion, in one file."
            )
        core = (*core[:2], core[2] * channels)
    if len(core) != 3:
        kind = "a single slice" if len(core) < 3 else "a time series or several channels"
        raise InputError(
            f"{path}: expected one 3D image, got shape {shape}: {len(core)} dimensions make up "
            f"{kind}. Split it and give one head CT."
        )
    if min(core) < 0:
        raise InputError(
            f"{path}: expected a 3D image, got the shape {core}. The header is damaged; copy or "
            "export the file again."
        )
    x, y, z = core
    if x * y * z > MAX_VOXELS:
        raise InputError(
            f"{path}: expected at most {MAX_VOXELS / 1e6:.0f} million voxels, got shape {core}. "
            "Crop or resample it."
        )
    return x, y, z


def check_file(path: Path) -> None:
    """Refuse what is missing, is no plain file or has another ending, before it is opened."""
    if not path.exists():
        raise InputError(f"{path}: no such file. Expected a NIfTI file (.nii or .nii.gz).")
    if not path.is_file() or not is_nifti_name(path):
        raise InputError(
            f"{path}: expected a NIfTI file whose name ends in .nii or .nii.gz. Convert other "
            f"formats first, or give a DICOM folder."
        )


def raw_header(path: Path) -> Any:
    """The header as stored; nothing of it is checked but what makes it one."""
    try:
        with opened(path) as stream:
            block = stream.read(max(h.template_dtype.itemsize for h, _ in _HEADERS))
        for header, magic in _HEADERS:
            size = header.template_dtype.itemsize
            if len(block) >= size:
                raw = header.from_fileobj(io.BytesIO(block[:size]), check=False)
                if raw["magic"].item()[:3] == magic:
                    return raw
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    raise unreadable(path, ValueError("it has no header of a single NIfTI file"))


def scaling(path: Path, slope: float, inter: float) -> tuple[float, float]:
    """Slope and intercept; (1, 0) where the slope is 0 or NaN, which is how "none" is written."""
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not np.isfinite([slope, inter]).all():
        raise InputError(
            f"{path}: expected scl_slope and scl_inter that are numbers, got {slope:g} and "
            f"{inter:g}. The header is damaged; rewrite them."
        )
    return slope, inter


def is_gz(path: Path) -> bool:
    """Whether the name says that the file is compressed."""
    return path.name.lower().endswith(".gz")


def opened(path: Path) -> IO[bytes]:
    """The file, unpacked if it is compressed."""
    return cast(IO[bytes], gzip.open(path)) if is_gz(path) else path.open("rb")
