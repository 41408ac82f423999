"""NIfTI in and out. The grid that came in is the grid that goes out."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import DTypeLike, NDArray

from strokediff.data import sanity
from strokediff.data.files import atomic_path
from strokediff.data.quiet import quiet
from strokediff.data.regular_grid import RegularGrid, regular_grid
from strokediff.data.volume import RAS, Source, Volume
from strokediff.errors import InputError

SUFFIXES = (".nii", ".nii.gz")
DESCRIPTION_LENGTH = 79
SHEAR_TOLERANCE = 1e-3
"""Cosine between two axes above which they are not called perpendicular (0.06 degrees)."""

_READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


def is_nifti_name(path: Path) -> bool:
    """Whether the file's name ends in .nii or .nii.gz."""
    return path.name.lower().endswith(SUFFIXES)


def nifti_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name without its ending, and file, of the images in a folder, in order; none if it is none.

    Hidden files are left out: a run that was killed may have left them.
    """
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if is_nifti_name(file) and not file.name.startswith(".") and file.is_file():
            ending = next(s for s in reversed(SUFFIXES) if file.name.lower().endswith(s))
            yield file.name[: -len(ending)], file


def read_nifti(path: str | Path, *, min_slices: int = sanity.MIN_SLICES) -> Volume:
    """Read a head CT in HU from .nii or .nii.gz.

    The sform is used when its code is above 0, else the qform. Raises `InputError` when the
    file is missing, damaged or not NIfTI, not one 3D image, has a degenerate affine or
    impossible spacing, holds NaN, or is not a whole head in Hounsfield units. Fewer than
    `min_slices` are no head either, unless single slices are known to be meant.
    """
    path = Path(path)
    image = _open(path)
    shape = _shape_3d(path, image.shape)
    affine, warnings = _affine(path, image)
    warnings += _check_pixdim(path, image)
    sanity.check_affine(path, affine)
    orientation = nib.orientations.io_orientation(affine)
    slice_axis = int(np.flatnonzero(orientation[:, 0] == 2)[0])
    sanity.check_size(path, shape, slice_axis, min_slices)
    sanity.check_spacing(path, affine @ nib.orientations.inv_ornt_aff(orientation, shape))
    values = _values(path, image).reshape(shape)
    sanity.check_hounsfield(path, values)
    if values.min() < sanity.AIR_HU:
        np.maximum(values, sanity.AIR_HU, out=values)
        warnings.append(f"values below {sanity.AIR_HU:g} HU (padding) were raised to it")
    source = Source(path, "nifti", shape, affine, _details(image, affine))
    return Volume.from_source_array(values, source, warnings=tuple(warnings))


def save_like(
    volume: Volume,
    array: NDArray[Any],
    path: str | Path,
    *,
    dtype: DTypeLike,
    description: str,
) -> Path:
    """Write an array on the volume's canonical grid as NIfTI on the volume's stored grid.

    Same shape, axis order and affine as the source, sform code 1, and a qform too where the
    affine has no shear (a qform cannot hold one). Uneven slices have no single affine: they are
    resampled on `regular_grid(volume)`, bool and 8-bit arrays to the nearest slice, others
    linearly, and the header's description says so. Returns the path; atomic.
    """
    path = Path(path)
    dtype = np.dtype(dtype)
    if array.shape != volume.hu.shape:
        raise ValueError(f"expected an array of shape {volume.hu.shape}, got {array.shape}")
    if not volume.uneven:
        stored, affine = volume.to_source(array), volume.source.affine
    else:
        grid = regular_grid(volume)
        stored, affine = _on_stored_axes(volume, grid, _resample(grid, array, dtype))
        description = f"{grid.describe()}; {description}"
    image = nib.Nifti1Image(_cast(stored, dtype), affine)
    image.set_sform(affine, code=1)
    sheared = shear_deg(affine) > 0
    image.set_qform(None if sheared else affine, code=0 if sheared else 1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:DESCRIPTION_LENGTH]
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
    return path


def shear_deg(affine: NDArray[np.float64]) -> float:
    """Largest departure from a right angle between two axes, degrees; 0 within rounding."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not (np.isfinite(lengths).all() and lengths.min() > 0):
        return 0.0
    axes = affine[:3, :3] / lengths
    cosine = float(np.abs(np.triu(axes.T @ axes, 1)).max())
    return float(np.degrees(np.arcsin(min(cosine, 1.0)))) if cosine > SHEAR_TOLERANCE else 0.0


def _open(path: Path) -> Any:
    if not path.exists():
        raise InputError(f"{path}: no such file. Expected a NIfTI file (.nii or .nii.gz).")
    if not path.is_file() or not is_nifti_name(path):
        raise InputError(
            f"{path}: expected a NIfTI file whose name ends in .nii or .nii.gz. Convert other "
            f"formats first, or give a DICOM folder."
        )
    try:
        with quiet("nibabel.global"):
            image = nib.load(path)
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error
    if not isinstance(image, nib.Nifti1Image):
        raise InputError(f"{path}: expected NIfTI, got {type(image).__name__}. Convert it first.")
    return image


def _shape_3d(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The image's three dimensions; trailing dimensions of length 1 are dropped."""
    core = shape
    while len(core) > 3 and core[-1] == 1:
        core = core[:-1]
    if len(core) != 3:
        kind = "a single slice" if len(core) < 3 else "a time series or several channels"
        raise InputError(
            f"{path}: expected one 3D image, got {len(shape)} dimensions {tuple(shape)}, {kind}. "
            f"Split it and give one head CT."
        )
    return (int(core[0]), int(core[1]), int(core[2]))


def _affine(path: Path, image: Any) -> tuple[NDArray[np.float64], list[str]]:
    header = image.header
    warnings: list[str] = []
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        other = header.get_qform() if sform > 0 and qform > 0 else None
    except _READ_ERRORS as error:
        if sform <= 0:
            raise InputError(
                f"{path}: the qform cannot be read ({error}). Rewrite the file's orientation."
            ) from error
        affine, other = np.asarray(header.get_sform(), dtype=np.float64), None
    if sform <= 0 and qform <= 0:
        warnings.append(
            "the header has neither sform nor qform: orientation and origin are assumed, so left "
            "and right may be swapped"
        )
    if other is not None:
        warnings += _disagreement(affine, np.asarray(other, dtype=np.float64), image.shape)
    shear = shear_deg(affine)
    if shear > 0:
        warnings.append(
            f"the affine is sheared by {shear:.1f} degrees (as after a tilted gantry); it is "
            f"kept as it is, and the output has the same affine"
        )
    return affine, warnings


def _check_pixdim(path: Path, image: Any) -> list[str]:
    """Look at the spacing as it is in the file: nibabel turns zeros into 1 mm."""
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        raw = type(image.header).from_fileobj(stream, check=False)
    pixdim = np.asarray(raw["pixdim"][1:4], dtype=np.float64)
    if (np.isfinite(pixdim) & (pixdim > 0)).all():
        return []
    text = f"the header's pixdim is {np.array2string(pixdim, precision=3)}, not a positive spacing"
    if int(raw["sform_code"]) <= 0:
        raise InputError(
            f"{path}: {text}. Expected the voxel size in mm; rewrite the header or give an sform."
        )
    return [f"{text}; the sform's spacing is used"]


def _disagreement(
    sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[int, ...]
) -> list[str]:
    """A warning where sform and qform put a corner of the image in different places."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape[:3]) - 1)
    apart = corners @ (sform - qform)[:3, :3].T + (sform - qform)[:3, 3]
    distance = float(np.linalg.norm(apart, axis=1).max())
    if not distance > 1.0:
        return []
    text = f"sform and qform disagree by up to {distance:.1f} mm; the sform is used"
    if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
        text += " (one of them mirrors the head: check left and right)"
    return [text]


def _values(path: Path, image: Any) -> NDArray[np.float32]:
    dtype = image.get_data_dtype()
    if dtype.fields is not None or dtype.kind not in "iufb":
        raise InputError(
            f"{path}: expected one number a voxel, got {dtype} (colour or complex). Give the CT."
        )
    try:
        values = np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
        if path.name.lower().endswith(".gz"):
            _check_gzip(path)
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error
    return np.array(values, dtype=np.float32)


def _check_gzip(path: Path) -> None:
    """Read to the end, where the checksum is: nibabel stops at the last voxel."""
    with gzip.open(path) as stream:
        while stream.read(1 << 22):
            pass


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, PermissionError):
        return InputError(f"{path}: no permission to read it. Change the file's permissions.")
    return InputError(
        f"{path}: expected a complete NIfTI file, but it is truncated, damaged or of another "
        f"format ({type(error).__name__}: {str(error)[:120]}). Copy or export it again."
    )


def _details(image: Any, affine: NDArray[np.float64]) -> dict[str, Any]:
    header = image.header
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    return {
        "format": "NIfTI-2" if isinstance(image, nib.Nifti2Image) else "NIfTI-1",
        "dtype": str(image.get_data_dtype()),
        "orientation": "".join(nib.aff2axcodes(affine)),
        "affine_from": "sform" if sform > 0 else "qform" if qform > 0 else "pixdim",
        "sform_code": sform,
        "qform_code": qform,
        "shear_deg": round(shear_deg(affine), 3),
    }


def _resample(grid: RegularGrid, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    is_label = dtype == np.bool_ or dtype.itemsize == 1
    return grid.nearest(array) if is_label else grid.linear(array)


def _on_stored_axes(
    volume: Volume, grid: RegularGrid, array: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Bring a canonical array on `grid` to the source's axis order, with its affine."""
    back = nib.orientations.ornt_transform(
        RAS, nib.orientations.io_orientation(volume.source.affine)
    )
    affine = grid.affine @ nib.orientations.inv_ornt_aff(back, array.shape)
    return nib.orientations.apply_orientation(array, back), affine


def _cast(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert for storage; integers are rounded and kept within the type's range."""
    if dtype == np.bool_:
        return array.astype(np.uint8)
    if dtype.kind in "iu" and array.dtype.kind == "f":
        info = np.iinfo(dtype)
        return np.clip(np.rint(array), info.min, info.max).astype(dtype)
    return array.astype(dtype)
