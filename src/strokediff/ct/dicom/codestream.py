"""What a compressed frame says of its own size, read before any decoder allocates for it."""

from __future__ import annotations

import struct
from itertools import islice

import pydicom
from pydicom.encaps import generate_frames
from pydicom.uid import UID, RLELossless

from strokediff.ct.dicom.values import value_of

FRAME_SLACK_BYTES = 1 << 20
"""A compressed frame may have twice the bytes of its pixels and this much more."""
MAX_SEGMENTS = 15
_J2K = b"\xff\x4f\xff\x51"
_NO_SIZE = (0xC4, 0xC8, 0xCC)
"""JPEG's markers C0 to CF give the size, but for these three (tables, reserved)."""
_JPEG_LS = 0xF7
_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers that no length follows."""
_START_OF_SCAN, _END = 0xDA, 0xD9


def check_frames(
    dataset: pydicom.Dataset, syntax: UID, rows: int, columns: int, frame_bytes: int, frames: int
) -> None:
    """Raise `ValueError` for a compressed frame whose own header contradicts the file's.

    `frame_bytes` are those of one decoded frame. Syntaxes without compression pass.
    """
    if not syntax.is_encapsulated:
        return
    data = value_of(dataset, "PixelData")
    if not isinstance(data, bytes):
        raise ValueError("PixelData is not bytes")
    limit = 2 * frame_bytes + FRAME_SLACK_BYTES
    for frame in islice(generate_frames(data, number_of_frames=frames), frames):
        if len(frame) > limit:
            raise ValueError(
                f"a compressed frame has {len(frame)} bytes, its pixels only {frame_bytes}"
            )
        _check_frame(frame, syntax, rows, columns)


def _check_frame(frame: bytes, syntax: UID, rows: int, columns: int) -> None:
    if syntax == RLELossless:
        segments = struct.unpack_from("<L", frame)[0] if len(frame) >= 64 else 0
        if not 1 <= segments <= MAX_SEGMENTS:
            raise ValueError(f"RLE frame of {segments} segments, expected 1 to {MAX_SEGMENTS}")
        return
    for height, width in own_sizes(frame):
        if (height, width) != (rows, columns):
            raise ValueError(
                f"the compressed image says {height} x {width} pixels, the header {rows} x "
                f"{columns}"
            )


def own_sizes(frame: bytes) -> list[tuple[int, int]]:
    """(rows, columns) of every size that a JPEG, JPEG-LS or JPEG 2000 codestream states."""
    start = frame.find(_J2K)
    if start >= 0 and not frame.startswith(b"\xff\xd8"):
        return _j2k_sizes(frame, start)
    return _jpeg_sizes(frame)


def _j2k_sizes(frame: bytes, start: int) -> list[tuple[int, int]]:
    # Lsiz, Rsiz, then extent and offset of the image on the reference grid, then the tiles'.
    if len(frame) < start + 42:
        return []
    width, height, left, top, tile_width, tile_height = struct.unpack_from(
        ">LLLLLL", frame, start + 8
    )
    if not tile_width or not tile_height:
        raise ValueError("the compressed image has tiles of no size")
    return [(height - top, width - left)]


def _jpeg_sizes(frame: bytes) -> list[tuple[int, int]]:
    sizes = []
    at = 2
    while at + 4 <= len(frame):
        if frame[at] != 0xFF:
            break
        marker = frame[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (_START_OF_SCAN, _END):
            break
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if _gives_size(marker) and at + 9 <= len(frame):
            sizes.append(struct.unpack_from(">HH", frame, at + 5))
        at += 2 + max(length, 2)
    return [(height, width) for height, width in sizes]


def _gives_size(marker: int) -> bool:
    return marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_SIZE)
