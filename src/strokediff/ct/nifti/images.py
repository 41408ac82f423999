"""NIfTI in and out. The grid that came in is the grid that goes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import DTypeLike, NDArray

from strokediff.ct import axes
from strokediff.ct.checks import sanity
from strokediff.ct.checks.hounsfield import as_hounsfield
from strokediff.ct.nifti.file import NiftiFile, open_nifti
from strokediff.ct.nifti.geometry import Placement, placement, shear_deg
from strokediff.ct.regular_grid import RegularGrid, regular_grid
from strokediff.ct.volume import CT, Source
from strokediff.util.files import atomic_path
from strokediff.util.names import is_nifti_name, stem

__all__ = ["nifti_files", "read_nifti", "save_like", "shear_deg"]

DESCRIPTION_LENGTH = 79


def nifti_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name without its ending, and file, of the images in a folder, in order; none if it is none.

    Hidden files are left out: a run that was killed may have left them.
    """
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if is_nifti_name(file) and not file.name.startswith(".") and file.is_file():
            yield stem(file), file


def read_nifti(path: str | Path, *, min_slices: int = sanity.MIN_SLICES) -> CT:
    """Read a head CT in HU from .nii or .nii.gz.

    The sform is used when its code is above 0, else the qform; where sform and pixdim have two
    voxel sizes, the one that the head can have. Raises `InputError` when the file is missing,
    damaged or not NIfTI, not one 3D image, larger than a head CT, has a degenerate affine or
    impossible spacing, holds NaN within the head, or is not a whole head in Hounsfield units and
    cannot be mended beyond doubt. What was mended or chosen is a warning of the volume. Fewer than
    `min_slices` are no head either, unless single slices are known to be meant.
    """
    file = open_nifti(path)
    placed = placement(file)
    sanity.check_size(file.path, file.shape, placed.stored_axis(), min_slices)
    placed.check(file)
    values, said = as_hounsfield(file.path, file.values())
    placed = placed.decided(file, values)
    source = Source(
        file.path, "nifti", file.shape, placed.affine, _details(file, placed), file.affine
    )
    return CT.from_source_array(values, source, warnings=(*placed.warnings, *said))


def save_like(
    volume: CT,
    array: NDArray[Any],
    path: str | Path,
    *,
    dtype: DTypeLike,
    description: str = "strokediff",
) -> Path:
    """Write an array on the volume's canonical grid as NIfTI on the volume's stored grid.

    Same shape, axis order and affine as the source, sform code 1, and a qform too where the
    affine has no shear (a qform cannot hold one). Uneven slices have no single affine: they are
    resampled on `regular_grid(volume)`, bool and 8-bit arrays to the nearest slice, others
    linearly, and the header's description says so. An array (X, Y, Z, K) is K maps in one file.
    Returns the path; atomic. Raises `ValueError` for an array of another shape, `UsageError` where
    the path cannot be written.

    >>> import nibabel
    >>> ct = CT(np.zeros((4, 5, 3)), np.diag([-0.5, -0.5, 5.0, 1.0]))
    >>> image = nibabel.load(save_like(ct, ct.hu > 40, "bone.nii.gz", dtype=np.uint8))
    >>> image.shape, image.affine.diagonal().tolist()
    ((4, 5, 3), [-0.5, -0.5, 5.0, 1.0])
    """
    path = Path(path)
    dtype = np.dtype(dtype)
    if array.shape[:3] != volume.hu.shape or array.ndim > 4:
        raise ValueError(f"expected an array of shape {volume.hu.shape}, got {array.shape}")
    maps = [array] if array.ndim == 3 else list(np.moveaxis(array, -1, 0))
    if not volume.uneven:
        stored, affine = [volume.to_source(one) for one in maps], volume.source.affine
    else:
        grid = regular_grid(volume)
        even = [_resample(grid, one, dtype) for one in maps]
        stored = [axes.stored(one, volume.source.affine) for one in even]
        affine = axes.stored_affine(grid.affine, volume.source.affine, even[0].shape)
        description = f"{grid.describe()}; {description}"
    whole = stored[0] if array.ndim == 3 else np.stack(stored, axis=-1)
    image = nib.Nifti1Image(_cast(whole, dtype), affine)
    image.set_sform(affine, code=1)
    sheared = shear_deg(affine) > 0
    image.set_qform(None if sheared else affine, code=0 if sheared else 1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:DESCRIPTION_LENGTH]
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
    return path


def _details(file: NiftiFile, placed: Placement) -> dict[str, Any]:
    header = file.header
    return {
        "format": "NIfTI-2" if isinstance(header, nib.Nifti2Header) else "NIfTI-1",
        "dtype": str(file.dtype),
        "orientation": axes.codes(placed.affine),
        "affine_from": placed.origin,
        "sform_code": int(header["sform_code"]),
        "qform_code": int(header["qform_code"]),
        "shear_deg": round(shear_deg(placed.affine), 3),
    }


def mask_file_ml(volume: CT, mask: NDArray[np.bool_]) -> float:
    """What the mask measures in the file that `save_like` makes of it: voxels x voxel size, mL.

    The volume's own figure where slices are even. Uneven slices are put on a regular grid, whose
    slices are not multiples of theirs.
    """
    if not volume.uneven:
        return volume.mask_volume_mm3(mask) / 1000
    grid = regular_grid(volume)
    voxel_mm3 = abs(float(np.linalg.det(grid.affine[:3, :3])))
    counts = np.count_nonzero(mask, axis=(0, 1))
    return float(grid.nearest(counts[None, None]).sum()) * voxel_mm3 / 1000


def _resample(grid: RegularGrid, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    is_label = dtype == np.bool_ or dtype.itemsize == 1
    return grid.nearest(array) if is_label else grid.linear(array)


def _cast(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert for storage; integers are rounded and kept within the type's range."""
    if dtype == np.bool_:
        return array.astype(np.uint8)
    if dtype.kind in "iu" and array.dtype.kind == "f":
        info = np.iinfo(dtype)
        return np.asarray(np.clip(np.rint(array), info.min, info.max).astype(dtype))
    return array.astype(dtype)
