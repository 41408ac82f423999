"""Read a DICOM file's elements within bounds, so that no small file costs gigabytes or hours.

Deflated files are inflated only as far as their header and the image it describes can need;
headers are bounded in bytes, elements and sequence items; what follows the pixels is not read.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset as parse
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

MAX_FILE_BYTES = 2 << 30
"""The largest head CT that is accepted has 1.3 GB in one file."""
MAX_DICOM_HEADER_BYTES = 32 << 20
MAX_ELEMENTS = 20_000
MAX_ITEMS = 100_000
SMALL_FILE_BYTES = 1 << 20
"""A smaller file holds too little to need counting."""
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_KNOWN_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN "
    b"UR US UT UV".split()
)


def read_dataset(
    path: Path, *, tags: Iterable[str] = (), pixel_bytes: int | None = None
) -> Dataset:
    """The elements of a file, with its `file_meta` (empty where it has none).

    Without `pixel_bytes` the header up to the pixels, else also the pixels, which may take that
    many bytes; `tags` keeps only these elements. Raises `ValueError` beyond a bound, and what
    pydicom and the operating system raise on files that are damaged.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(
            f"the file has {size / 1e9:.1f} GB, more than the {MAX_FILE_BYTES >> 30} GiB that a "
            f"head CT may have"
        )
    limit = MAX_DICOM_HEADER_BYTES + (pixel_bytes or 0)
    with path.open("rb") as file:
        stream: BinaryIO = file if size <= SMALL_FILE_BYTES else io.BytesIO(file.read(limit))
        start, meta = _file_meta(stream)
        syntax = meta.get("TransferSyntaxUID")
        if syntax == DeflatedExplicitVRLittleEndian:
            file.seek(start)
            stream = _inflated(file, limit)
        else:
            stream.seek(start)
        if isinstance(stream, io.BytesIO):
            _count_items(stream)
        implicit, little = _encoding(stream, syntax)
        numbers: list[BaseTag | int] = [Tag(tag) for tag in tags]
        stop = _stop_after_pixels() if pixel_bytes is not None else _stop_at_pixels()
        dataset = parse(stream, implicit, little, stop_when=stop, specific_tags=numbers or None)
        if pixel_bytes is None and isinstance(stream, io.BytesIO):
            _header_ended(stream)
    dataset.file_meta = meta
    return dataset


def _file_meta(stream: BinaryIO) -> tuple[int, FileMetaDataset]:
    """Where the dataset starts, and the group 0002 before it."""
    start = 132 if stream.read(132)[128:] == b"DICM" else 0
    stream.seek(start)
    meta = parse(stream, False, True, stop_when=_bounded(lambda tag: tag >> 16 != 2))
    return stream.tell(), FileMetaDataset(meta)


def _encoding(stream: BinaryIO, syntax: UID | None) -> tuple[bool, bool]:
    """Whether the dataset has implicit VRs and is little-endian; guessed without a syntax."""
    if syntax is None:
        first = stream.read(6)
        stream.seek(-len(first), io.SEEK_CUR)
        explicit = first[4:6] in _KNOWN_VRS
        return not explicit, not (explicit and first[:1] == b"\0")
    return syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian


def _inflated(file: BinaryIO, limit: int) -> io.BytesIO:
    """The deflated rest of a file, at most `limit` bytes of it."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    out = io.BytesIO()
    while out.tell() < limit and not inflater.eof:
        chunk = inflater.unconsumed_tail or file.read(1 << 16)
        if not chunk:
            break
        out.write(inflater.decompress(chunk, min(limit - out.tell(), 1 << 22)))
    out.seek(0)
    return out


def _count_items(stream: io.BytesIO) -> None:
    # An item takes 8 bytes of a file and a thousand of memory. Counting its tag's bytes, also
    # where they are no tag, is an upper bound.
    held = stream.getvalue()  # shared, not copied
    items = max(held.count(tag) for tag in _ITEMS)
    if items > MAX_ITEMS:
        raise ValueError(
            f"the file has up to {items} sequence items, more than the {MAX_ITEMS} that are read"
        )


def _header_ended(stream: io.BytesIO) -> None:
    if stream.tell() >= MAX_DICOM_HEADER_BYTES and not stream.read(1):
        raise ValueError(
            f"the header has more than {MAX_DICOM_HEADER_BYTES >> 20} MiB, or no pixels follow it"
        )


Stop = Callable[[BaseTag, str | None, int], bool]


def _bounded(ends: Callable[[int], bool]) -> Stop:
    """Stop where `ends` says, and at zeros, which follow where a file was not written to its end.

    Raises `ValueError` after `MAX_ELEMENTS` elements.
    """
    seen = 0

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal seen
        seen += 1
        if seen > MAX_ELEMENTS:
            raise ValueError(f"the header has more than {MAX_ELEMENTS} elements")
        return int(tag) == 0 or ends(int(tag))

    return stop


def _stop_at_pixels() -> Stop:
    return _bounded(lambda tag: tag in PIXEL_TAGS)


def _stop_after_pixels() -> Stop:
    past = False

    def ends(tag: int) -> bool:
        nonlocal past
        was, past = past, past or tag in PIXEL_TAGS
        return was

    return _bounded(ends)
