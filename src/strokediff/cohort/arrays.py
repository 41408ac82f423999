"""Whether the arrays of a prepared cohort may be read: looked at before anything is unpacked.

zarr believes its metadata: a shape of 10^9, a chunk that holds more than the array, another
codec. So an array must be as `CohortWriter` makes it: one chunk, little-endian, zstd, and the
chunk's own header must say the size that the array has.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
HEADER = 18
"""Bytes of the longest header of a zstd frame (RFC 8878, 3.1.1)."""
SLACK = 1 << 16
"""A chunk takes at most this much more than what it holds."""
DTYPES = {"x": "float16", "y": "uint8", "m": "uint8"}


def check_array(folder: Path, key: str, shape: tuple[int, int, int]) -> None:
    """`InputError` unless the array `folder`/`key` is one chunk of `shape` as it is written."""
    file = folder / key / "zarr.json"
    meta = read_json(file, "zarr's description of an array")
    expected: dict[str, Any] = {
        "node_type": "array",
        "zarr_format": 3,
        "shape": list(shape),
        "data_type": DTYPES[key],
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "storage_transformers": [],
    }
    for name, value in expected.items():
        if meta.get(name, []) != value:
            raise InputError(f"{file}: expected {name} {value}, got {str(meta.get(name))[:100]}.")
    codecs = [own.get("name") if isinstance(own, dict) else own for own in _list(meta, "codecs")]
    if codecs not in (["bytes", "zstd"], ["bytes"]):
        raise InputError(f"{file}: expected the codecs bytes and zstd, got {str(codecs)[:100]}.")
    chunk = folder.joinpath(key, "c", "0", "0", "0")
    size = math.prod(shape) * np.dtype(DTYPES[key]).itemsize
    _check_chunk(chunk, size, packed=len(codecs) > 1)


def _list(meta: dict[str, Any], key: str) -> list[Any]:
    found = meta.get(key)
    return found if isinstance(found, list) else []


def _check_chunk(chunk: Path, size: int, *, packed: bool) -> None:
    """`InputError` for a chunk that unpacks to anything but `size` bytes; none holds zeros."""
    if not chunk.exists():
        return
    if not chunk.is_file() or chunk.stat().st_size > size + SLACK:
        raise InputError(f"{chunk}: expected a file of at most {size + SLACK} bytes.")
    if packed:
        with chunk.open("rb") as file:
            claimed = zstd_size(file.read(HEADER))
        if claimed != size:
            raise InputError(f"{chunk}: expected {size} bytes once unpacked, got {claimed}.")


def zstd_size(header: bytes) -> int | None:
    """How many bytes a zstd frame says that it holds; None if it is none or does not say.

    RFC 8878, 3.1.1.1: magic number, a descriptor, then window (1 byte unless the frame is a single
    segment), dictionary (0, 1, 2 or 4 bytes) and content size (0, 1, 2, 4 or 8 bytes; of 2 less
    256).
    """
    if len(header) < 6 or header[:4] != ZSTD_MAGIC:
        return None
    descriptor = header[4]
    single = descriptor >> 5 & 1
    width = {0: single, 1: 2, 2: 4, 3: 8}[descriptor >> 6]
    start = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    field = header[start : start + width]
    if not width or len(field) < width:
        return None
    return int.from_bytes(field, "little") + (256 if width == 2 else 0)
