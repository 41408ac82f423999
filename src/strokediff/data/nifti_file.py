"""A NIfTI file as it lies on the disk: its header, checked, and its voxels, read within bounds.

Nothing that a header claims is believed before it is bounded, and a compressed stream is read no
further than the header's image and a little more: a file of kilobytes costs no gigabytes.
"""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.data.sanity import MAX_VOXELS
from strokediff.errors import InputError

SUFFIXES = (".nii", ".nii.gz")
MAX_HEADER_BYTES = 1 << 24
"""How far from the start the voxels may begin: room for any header extension."""
DEFLATE = 1032
"""What a byte of a compressed stream can unpack to at the most."""
MAX_REST_BYTES = 1 << 20
"""What may follow the voxels, in a stream or as compressed, before it is called no image."""
RUN = 1 << 18
"""Voxels that are read and converted at a time; they stay in the processor's cache."""

_HEADERS: tuple[tuple[Any, bytes], ...] = (
    (nib.Nifti1Header, b"n+1"),
    (nib.Nifti2Header, b"n+2"),
)
_UNREADABLE = (
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


@dataclass(frozen=True)
class NiftiFile:
    """An image's header and where its voxels lie; `shape` has three dimensions.

    `raw` is nibabel's header as stored, `header` the same with what it can mend mended. A voxel's
    value is stored x `slope` + `inter`.
    """

    path: Path
    raw: Any
    header: Any
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float = 1.0
    inter: float = 0.0

    @property
    def n_voxels(self) -> int:
        """How many voxels the image has."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def scaled(self) -> bool:
        """Whether slope and intercept change the stored values."""
        return (self.slope, self.inter) != (1.0, 0.0)

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4) to RAS+ mm: the sform where its code is above 0, else qform, else pixdim."""
        try:
            return np.asarray(self.header.get_best_affine(), dtype=np.float64)
        except _UNREADABLE as error:
            raise InputError(
                f"{self.path}: the qform cannot be read ({error}). Rewrite the file's orientation."
            ) from error

    def runs(
        self, kind: type[np.floating[Any]] = np.float64
    ) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Place and values of voxel after voxel, first axis fastest, a run at a time.

        In the file's own type, or as `kind` where they are scaled. Raises `InputError` where the
        file ends too early, goes on too long or is damaged.
        """
        try:
            with _opened(self.path) as stream:
                _skip(stream, self.offset)
                for start in range(0, self.n_voxels, RUN):
                    count = min(RUN, self.n_voxels - start)
                    run = np.frombuffer(_exactly(stream, count * self.dtype.itemsize), self.dtype)
                    if self.scaled:
                        run = run.astype(kind) * kind(self.slope) + kind(self.inter)
                    yield slice(start, start + count), run
                if _is_gz(self.path):
                    self._to_the_end(stream)
        except _UNREADABLE as error:
            raise unreadable(self.path, error) from error

    def values(self) -> NDArray[np.float32]:
        """All voxels (X, Y, Z), in single precision."""
        out = np.empty(self.n_voxels, np.float32)
        with np.errstate(over="ignore"):  # infinite then, which is refused where it matters
            for place, run in self.runs(np.float32):
                out[place] = run
        return out.reshape(self.shape, order="F")

    def _to_the_end(self, stream: IO[bytes]) -> None:
        """Read to the end, where the checksum is; refuse a stream that does not end."""
        left = MAX_REST_BYTES
        while part := stream.read(min(1 << 16, left + 1)):
            left -= len(part)
            if left < 0:
                raise _too_long(self.path)


def is_nifti_name(path: Path) -> bool:
    """Whether the file's name ends in .nii or .nii.gz."""
    return path.name.lower().endswith(SUFFIXES)


def open_nifti(path: str | Path) -> NiftiFile:
    """Read and check a header; `InputError` unless one 3D image of numbers within bounds follows.

    Bounds: `MAX_VOXELS` voxels that begin within `MAX_HEADER_BYTES`, and `MAX_REST_BYTES` after
    them.
    """
    path = Path(path)
    _check_file(path)
    raw = _raw_header(path)
    try:
        header = raw.copy()
        header.check_fix(logger=_SILENT, error_level=100)
        stored, dtype = tuple(int(n) for n in raw.get_data_shape()), raw.get_data_dtype()
        offset, slope, inter = (
            float(raw[name]) for name in ("vox_offset", "scl_slope", "scl_inter")
        )
    except _UNREADABLE as error:
        raise unreadable(path, error) from error
    shape = shape_3d(path, stored)
    if dtype.fields is not None or dtype.kind not in "iufb":
        raise InputError(
            f"{path}: expected one number a voxel, got {dtype} (colour or complex). Give the CT."
        )
    slope, inter = _scaling(path, slope, inter)
    first = raw.single_vox_offset
    if not (np.isfinite(offset) and (offset == 0 or first <= offset <= MAX_HEADER_BYTES)):
        raise InputError(
            f"{path}: expected the voxels to begin {first} to {MAX_HEADER_BYTES} bytes from the "
            f"start, got {offset:g}. The header is damaged; copy or export the file again."
        )
    file = NiftiFile(path, raw, header, shape, dtype, int(offset) or first, slope, inter)
    _check_length(file)
    return file


def shape_3d(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The image's three dimensions, bounded; trailing dimensions of length 1 are dropped."""
    core = shape
    while len(core) > 3 and core[-1] == 1:
        core = core[:-1]
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


_SILENT = logging.Logger("strokediff.nifti", level=logging.CRITICAL + 1)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: no such file. Expected a NIfTI file (.nii or .nii.gz).")
    if not path.is_file() or not is_nifti_name(path):
        raise InputError(
            f"{path}: expected a NIfTI file whose name ends in .nii or .nii.gz. Convert other "
            f"formats first, or give a DICOM folder."
        )


def _raw_header(path: Path) -> Any:
    """The header as stored; nothing of it is checked but what makes it one."""
    try:
        with _opened(path) as stream:
            block = stream.read(max(h.template_dtype.itemsize for h, _ in _HEADERS))
        for header, magic in _HEADERS:
            size = header.template_dtype.itemsize
            if len(block) >= size:
                raw = header.from_fileobj(io.BytesIO(block[:size]), check=False)
                if raw["magic"].item()[:3] == magic:
                    return raw
    except _UNREADABLE as error:
        raise unreadable(path, error) from error
    raise unreadable(path, ValueError("it has no header of a single NIfTI file"))


def _scaling(path: Path, slope: float, inter: float) -> tuple[float, float]:
    """Slope and intercept; (1, 0) where the slope is 0 or NaN, which is how "none" is written."""
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not np.isfinite([slope, inter]).all():
        raise InputError(
            f"{path}: expected scl_slope and scl_inter that are numbers, got {slope:g} and "
            f"{inter:g}. The header is damaged; rewrite them."
        )
    return slope, inter


def _check_length(file: NiftiFile) -> None:
    """Compare the file's length to what its header says, before anything is read."""
    needed = file.offset + file.n_voxels * file.dtype.itemsize
    length = file.path.stat().st_size
    packed = _is_gz(file.path)
    if needed > length * (DEFLATE if packed else 1):
        text = f"{needed} bytes were expected, its {length} {'cannot hold' if packed else 'are'} "
        raise unreadable(file.path, EOFError(text + ("them" if packed else "too few")))
    if packed and length > needed + MAX_REST_BYTES:
        raise _too_long(file.path)


def _too_long(path: Path) -> InputError:
    return InputError(
        f"{path}: more than {MAX_REST_BYTES} bytes follow the image that the header describes. "
        "Expected the image alone; export the file again."
    )


def _is_gz(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if _is_gz(path) else path.open("rb")


def _exactly(stream: IO[bytes], count: int) -> bytes:
    part = stream.read(count)
    if len(part) < count:
        raise EOFError(f"it ends {count - len(part)} bytes or more before the last voxel")
    return part


def _skip(stream: IO[bytes], count: int) -> None:
    if stream.seek(count) != count:
        raise EOFError("it ends before the first voxel")
