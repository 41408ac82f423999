"""A NIfTI file as it lies on the disk: its header, checked, and its voxels, read within bounds.

Nothing that a header claims is believed before it is bounded, and a compressed stream is read no
further than the header's image and a little more: a file of kilobytes costs no gigabytes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.nifti.header import (
    READ_ERRORS,
    check_file,
    is_gz,
    opened,
    raw_header,
    scaling,
    shape_3d,
    unreadable,
)
from strokediff.errors import InputError

MAX_NIFTI_HEADER_BYTES = 1 << 24
"""How far from the start the voxels may begin: room for any header extension."""
DEFLATE = 1032
"""What a byte of a compressed stream can unpack to at the most."""
MAX_REST_BYTES = 1 << 20
"""What may follow the voxels, in a stream or as compressed, before it is called no image."""
RUN = 1 << 18
"""Voxels that are read and converted at a time; they stay in the processor's cache."""


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
        except READ_ERRORS as error:
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
            with opened(self.path) as stream:
                _skip(stream, self.offset)
                for start in range(0, self.n_voxels, RUN):
                    count = min(RUN, self.n_voxels - start)
                    run = np.frombuffer(_exactly(stream, count * self.dtype.itemsize), self.dtype)
                    if self.scaled:
                        # Infinite or NaN then, which is refused where it matters.
                        with np.errstate(over="ignore", invalid="ignore"):
                            run = run.astype(kind) * kind(self.slope) + kind(self.inter)
                    yield slice(start, start + count), run
                if is_gz(self.path):
                    self._to_the_end(stream)
        except READ_ERRORS as error:
            raise unreadable(self.path, error) from error

    def values(self) -> NDArray[np.float32]:
        """All voxels (X, Y, Z), in single precision."""
        out = np.empty(self.n_voxels, np.float32)
        with np.errstate(over="ignore"):
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


def open_nifti(path: str | Path, channels: int = 1) -> NiftiFile:
    """Read and check a header; `InputError` unless one 3D image of numbers within bounds follows.

    With several `channels`, the fourth dimension, it is read as if they lay above each other.

    Bounds: `MAX_VOXELS` voxels that begin within `MAX_NIFTI_HEADER_BYTES`, and
    `MAX_REST_BYTES` after them.
    """
    path = Path(path)
    check_file(path)
    raw = raw_header(path)
    try:
        header = raw.copy()
        header.check_fix(logger=_SILENT, error_level=100)
        stored, dtype = tuple(int(n) for n in raw.get_data_shape()), raw.get_data_dtype()
        offset, slope, inter = (
            float(raw[name]) for name in ("vox_offset", "scl_slope", "scl_inter")
        )
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    shape = shape_3d(path, stored, channels)
    if dtype.fields is not None or dtype.kind not in "iufb":
        raise InputError(
            f"{path}: expected one number a voxel, got {dtype} (colour or complex). Give the CT."
        )
    slope, inter = scaling(path, slope, inter)
    first = raw.single_vox_offset
    if not (np.isfinite(offset) and (offset == 0 or first <= offset <= MAX_NIFTI_HEADER_BYTES)):
        raise InputError(
            f"{path}: expected the voxels to begin {first} to {MAX_NIFTI_HEADER_BYTES} bytes from "
            f"the start, got {offset:g}. The header is damaged; copy or export the file again."
        )
    file = NiftiFile(path, raw, header, shape, dtype, int(offset) or first, slope, inter)
    _check_length(file)
    return file


_SILENT = logging.Logger("strokediff.nifti", level=logging.CRITICAL + 1)


def _check_length(file: NiftiFile) -> None:
    """Compare the file's length to what its header says, before anything is read."""
    needed = file.offset + file.n_voxels * file.dtype.itemsize
    length = file.path.stat().st_size
    packed = is_gz(file.path)
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


def _exactly(stream: IO[bytes], count: int) -> bytes:
    part = stream.read(count)
    if len(part) < count:
        raise EOFError(f"it ends {count - len(part)} bytes or more before the last voxel")
    return part


def _skip(stream: IO[bytes], count: int) -> None:
    if stream.seek(count) != count:
        raise EOFError("it ends before the first voxel")
