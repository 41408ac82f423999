"""`read_ct`: one head CT from whatever holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strokediff.ct import axes
from strokediff.ct.checks import sanity
from strokediff.ct.checks.hounsfield import as_hounsfield
from strokediff.ct.discovery.cases import Discovery
from strokediff.ct.discovery.discover import discover
from strokediff.ct.discovery.loading import load_case
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError, UsageError

_ARRAY = Path("array")
_SHOWN = 5


def read_ct(
    source: str | Path | NDArray[Any], affine: ArrayLike | None = None, *, series: str | None = None
) -> CT:
    """Read a head CT, checked and in Hounsfield units, from a file, a folder or an array.

    `source` is a NIfTI file, a DICOM file, a folder or a zip or tar with the files of one patient,
    or HU on any axes (X, Y, Z) with the `affine` (4, 4) that takes indices to RAS+ mm. `series` is
    the SeriesInstanceUID of the DICOM series to read, where the one that `discover` would choose
    is not wanted. What was mended, chosen or left out is said in `CT.warnings`.

    Raises `InputError` where there is no head CT, or more than one (`discover` and `load_case`
    read many), and for whatever `read_nifti` and `read_dicom_series` refuse; `UsageError` for an
    affine without an array, or a series of one.

    A head of 35 HU in a skull of 900:

    >>> x, y, z = np.ogrid[-1:1:72j, -1:1:72j, -1:1:14j]
    >>> r = np.sqrt(x**2 + y**2 + z**2)
    >>> hu = np.select([r < 0.7, r < 0.8], [35.0, 900.0], default=-1000.0)
    >>> ct = read_ct(hu, np.diag([-3.0, -3.0, 12.0, 1.0]))
    >>> ct.hu.shape, ct.pixel_spacing_mm, ct.warnings
    ((72, 72, 14), (3.0, 3.0), ())
    """
    if isinstance(source, (str, Path)):
        if affine is not None:
            raise UsageError(f"{source}: an affine goes with an array. Leave it out.")
        return _read(Path(source), series)
    if affine is None or series is not None:
        raise UsageError(
            "array: expected its affine, (4, 4) from indices to RAS+ mm, and no series."
        )
    return _checked(np.asarray(source), np.asarray(affine, dtype=np.float64))


def _read(path: Path, series: str | None) -> CT:
    found = discover(path, series)
    if found.n_patients != 1 or not found.cases:
        raise _several(path, found)
    volume = load_case(found.cases[0])
    told = replace(found, ignored=0).notes  # files that are no images are no matter
    return replace(volume, warnings=(*volume.warnings, *told))


def _several(path: Path, found: Discovery) -> InputError:
    names = [case.name for case in found.cases]
    names += [f"{left.name} ({left.reason})" for left in found.failed]
    shown = "; ".join(names[:_SHOWN]) + ("; ..." if len(names) > _SHOWN else "")
    return InputError(
        f"{path}: expected one patient, found {len(names)}: {shown}. Give one of them, or read "
        f"each of discover({str(path)!r}).cases with load_case."
    )


def _checked(array: NDArray[Any], affine: NDArray[np.float64]) -> CT:
    """An array after the checks that are made of a NIfTI file."""
    if array.ndim != 3 or array.dtype.kind not in "iufb" or affine.shape != (4, 4):
        raise InputError(
            f"array: shape {array.shape} of {array.dtype} with an affine of shape {affine.shape}. "
            "Expected HU (X, Y, Z) and an affine (4, 4)."
        )
    sanity.check_affine(_ARRAY, affine)
    sanity.check_size(_ARRAY, array.shape, axes.slice_axis(affine)[0])
    sanity.check_spacing(_ARRAY, axes.canonical_affine(affine, array.shape))
    values, said = as_hounsfield(_ARRAY, np.array(array, dtype=np.float32))
    x, y, z = array.shape
    source = Source(_ARRAY, "array", (x, y, z), affine)
    return CT.from_source_array(values, source, warnings=tuple(said))


def in_hounsfield(ct: CT) -> CT:
    """The same, in HU beyond doubt: what was read is; an array is checked as `read_ct` does.

    Raises `InputError` where an array's values are not HU and cannot be mended.
    """
    if ct.source.kind != "array":
        return ct
    values, said = as_hounsfield(ct.source.path, ct.hu.copy())
    new = tuple(warning for warning in said if warning not in ct.warnings)
    return replace(ct, hu=values, warnings=(*ct.warnings, *new))
