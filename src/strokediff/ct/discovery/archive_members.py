"""The files in a zip or tar archive, one after the other, each under a path that stays inside.

Links and devices are left out. What an archive says of itself is not believed: neither lengths
of headers nor the number of entries.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from strokediff.errors import InputError
from strokediff.util.names import TARS
from strokediff.util.plaintext import visible

MAX_MEMBERS = 50_000
MAX_MEMBER_BYTES = 4 << 30
MAX_TOTAL_BYTES = 16 << 30
MAX_RATIO = 200
"""Unpacked to packed; images of heads reach 10, and Deflate cannot do more than 1032."""
FREE_RATIO_BYTES = 64 << 20
"""A small archive may be packed better than that: masks and blank images are."""
COPIED_BYTES = 1 << 18
MAX_DIRECTORY_BYTES = 16 << 20
"""Of a zip's table of contents, which is held in memory."""
MAX_TAR_HEADER_BYTES = 1 << 20
"""Of one long name or extended header of a tar, which is held in memory."""

BROKEN = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    IndexError,
    KeyError,
)


@dataclass(frozen=True)
class Member:
    """A file in an archive: its path there, checked, its stated size, and how to open it."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


def members_of(archive: Path) -> Iterator[Member]:
    """The files of an archive, at most `MAX_MEMBERS` entries of any kind."""
    with archive.open("rb") as stream:
        start = stream.read(4)
    is_tar = archive.name.lower().endswith(TARS) and not start.startswith((b"PK\3\4", b"PK\5\6"))
    for count, member in enumerate(_tar(archive) if is_tar else _zip(archive), 1):
        if count > MAX_MEMBERS:
            raise InputError(
                f"{archive}: has more than {MAX_MEMBERS} entries. Unpack it yourself and give the "
                "folder."
            )
        if member is not None:
            yield member


def _zip(archive: Path) -> Iterator[Member | None]:
    if _directory_bytes(archive) > MAX_DIRECTORY_BYTES:
        raise InputError(
            f"{archive}: has more than {MAX_MEMBERS} entries, or very long names. Unpack it "
            "yourself and give the folder."
        )
    with zipfile.ZipFile(archive) as packed:
        infos = packed.infolist()
        if any(info.flag_bits & 0x1 for info in infos):
            raise InputError(
                f"{archive}: is encrypted. Unpack it with its password and give the folder."
            )
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG):
                yield None
            else:
                path = _checked(archive, _zip_name(info))
                yield Member(path, info.file_size, _opener(packed, info))


def _directory_bytes(archive: Path) -> int:
    """What a zip says its table of contents takes, before it is read."""
    with archive.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - (1 << 16) - 128))
        end = stream.read()
    here = end.rfind(b"PK\5\6")
    found = int.from_bytes(end[here + 12 : here + 16], "little") if here >= 0 else 0
    large = end.rfind(b"PK\6\6")
    if found == 0xFFFFFFFF and large >= 0:
        return int.from_bytes(end[large + 40 : large + 48], "little")
    return found


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many writers store UTF-8 without saying so."""
    try:
        return info.filename if info.flag_bits & 0x800 else info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _opener(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: packed.open(info)


def _tar(archive: Path) -> Iterator[Member | None]:
    packed_bytes = archive.stat().st_size
    limit = min(MAX_TOTAL_BYTES, max(FREE_RATIO_BYTES, MAX_RATIO * packed_bytes))
    with (
        _plain(archive) as stream,
        tarfile.open(fileobj=_Bounded(archive, stream, 2 * limit), mode="r:") as packed,
    ):
        for entry in packed:
            if entry.isreg() and not entry.issparse():
                yield Member(_checked(archive, entry.name), entry.size, _extractor(packed, entry))
            else:
                yield None
            # The list of what was seen is not needed, and grows.
            packed.members = []  # type: ignore[attr-defined]


def _plain(archive: Path) -> Any:
    """A tar's own bytes, uncompressed as its first bytes say."""
    with archive.open("rb") as stream:
        start = stream.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive)
    if start.startswith(b"BZh"):
        return bz2.open(archive)
    return lzma.open(archive) if start == b"\xfd7zXZ\0" else archive.open("rb")


class _Bounded(io.RawIOBase):
    """A stream that neither goes on for ever nor hands over much at once.

    `tarfile` believes the lengths it finds in headers, and skips members by unpacking them.
    """

    def __init__(self, archive: Path, stream: IO[bytes], limit: int) -> None:
        self._archive, self._stream, self._limit = archive, stream, limit

    def read(self, size: int | None = -1, /) -> Any:
        """As of a file; a header of more than `MAX_TAR_HEADER_BYTES` is damage."""
        if size is None or not 0 <= size <= max(COPIED_BYTES, MAX_TAR_HEADER_BYTES):
            raise tarfile.ReadError("a header of absurd length")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of a file, up to the limit."""
        if whence == io.SEEK_SET and offset > self._limit:
            raise InputError(
                f"{self._archive}: unpacks to more than {self._limit / 2**30:.1f} GiB, which is "
                "not done. Unpack it yourself and give the folder."
            )
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """Whether `seek` works: it does, by unpacking."""
        return True


def _extractor(packed: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def extract() -> IO[bytes]:
        source = packed.extractfile(entry)
        if source is None:
            raise tarfile.TarError("not a regular file")
        return source

    return extract


def _checked(archive: Path, name: str) -> PurePosixPath:
    """A member's path, if it stays in the archive's folder on any system."""
    parts = name.replace("\\", "/").split("/")
    drive = len(parts[0]) == 2 and parts[0].endswith(":")
    if name.startswith(("/", "\\")) or drive or ".." in parts or "\0" in name:
        raise InputError(
            f"{archive}: holds '{visible(name)[:80]}', a path that leads out of it, and is not "
            "unpacked. Make a new archive of the patient's folder."
        )
    kept = [part for part in parts if part not in ("", ".")]
    return PurePosixPath(*kept) if kept else PurePosixPath("_")
