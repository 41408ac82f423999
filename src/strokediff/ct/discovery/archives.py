"""Zip and tar archives, read within bounds: no path leads out, no small file becomes a large one.

Members are never written under their own names' paths: each name is checked, then joined to a
folder of ours. Links and devices are left out. Every bound is on the bytes that really come out,
since the sizes an archive states can be invented. An archive in an archive is not opened.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from strokediff.ct.discovery.archive_members import (
    BROKEN,
    COPIED_BYTES,
    FREE_RATIO_BYTES,
    MAX_MEMBER_BYTES,
    MAX_RATIO,
    MAX_TOTAL_BYTES,
    Member,
    members_of,
)
from strokediff.errors import InputError
from strokediff.util.leftovers import remove, sweep, temporary_name
from strokediff.util.plaintext import visible

HEAD_BYTES = 1 << 17
"""Of each member when only headers are looked at; few are longer."""
ROOM_BYTES = 256 << 20
"""Left free on the disk that is unpacked to."""


@dataclass(frozen=True)
class Unpacked:
    """A temporary folder, and the members that are damaged: empty files in it."""

    folder: Path
    damaged: list[str] = field(default_factory=list)


@contextmanager
def unpacked(
    archive: Path, members: Collection[str] | None = None, *, head_only: bool = False
) -> Iterator[Unpacked]:
    """The archive's files (or only `members`, paths with slashes) in a temporary folder.

    `head_only` cuts each file after `HEAD_BYTES`. The folder is gone afterwards, whatever happens;
    what a killed process left of its own is cleared too. Raises `InputError` for an archive that
    is damaged, encrypted, of an unknown kind, holds names that lead out of it, or goes beyond a
    bound of this module.
    """
    place = Path(tempfile.gettempdir())
    sweep(place)
    found = Unpacked(temporary_name(place / "archive"))
    try:
        with _explained(archive):
            found.folder.mkdir(mode=0o700)
            budget = _Budget(archive, found.folder)
            for member in members_of(archive):
                name = member.path.as_posix()
                whole = members is None or name in members
                if whole and not _write(member, found.folder, budget, head_only=head_only):
                    found.damaged.append(name)
        yield found
    finally:
        remove(found.folder)


class _Budget:
    """Counts what comes out of one archive; `InputError` beyond a bound."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.archive = archive
        packed = archive.stat().st_size
        free = max(0, shutil.disk_usage(folder).free - ROOM_BYTES)
        self.limits = (
            (MAX_TOTAL_BYTES, f"more than {MAX_TOTAL_BYTES >> 30} GiB in all"),
            (max(FREE_RATIO_BYTES, MAX_RATIO * packed), f"more than {MAX_RATIO} times its size"),
            (free, f"more than there is room for in {folder.parent}"),
        )
        self.total = 0

    def spend(self, count: int) -> None:
        self.total += count
        for limit, text in self.limits:
            if self.total > limit:
                raise InputError(
                    f"{self.archive}: unpacks to {text}, which is not done. Unpack it yourself and "
                    "give the folder."
                )


def _write(member: Member, folder: Path, budget: _Budget, *, head_only: bool) -> bool:
    """One member to its place; False if it is damaged, which leaves an empty file."""
    target = folder.joinpath(*member.path.parts)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sink = target.open("xb")
    except OSError as error:
        if isinstance(error, FileExistsError) and target.is_file():
            return True  # the same name twice: the first counts
        raise InputError(
            f"{budget.archive}: '{visible(str(member.path))}' cannot be unpacked "
            f"({error.strerror}). Unpack it yourself and give the folder."
        ) from error
    with sink:
        try:
            _copy(member, sink, budget, HEAD_BYTES if head_only else MAX_MEMBER_BYTES)
        except BROKEN:
            sink.truncate(0)
            return False
    return True


def _copy(member: Member, sink: IO[bytes], budget: _Budget, most: int) -> None:
    """At most `most` bytes; bounded by what comes out, not by what the archive says."""
    written = 0
    with member.open() as source:
        while written < most:
            chunk = source.read(min(COPIED_BYTES, most - written))
            if not chunk:
                return
            written += len(chunk)
            budget.spend(len(chunk))
            sink.write(chunk)
        if most == MAX_MEMBER_BYTES and source.read(1):
            raise InputError(
                f"{budget.archive}: '{visible(str(member.path))}' has more than "
                f"{MAX_MEMBER_BYTES >> 30} GiB, more than a head CT may have."
            )


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """What the libraries say of an archive, as one sentence."""
    try:
        yield
    except NotImplementedError as error:
        raise InputError(
            f"{archive}: packed in a way that is not read ({error}). Unpack it yourself and give "
            "the folder."
        ) from error
    except (*BROKEN, RecursionError, MemoryError) as error:
        empty = archive.stat().st_size == 0
        what = "is empty" if empty else f"is damaged or no archive ({visible(str(error))[:100]})"
        raise InputError(f"{archive}: {what}. Copy it again.") from error
    except OSError as error:
        raise InputError(
            f"{archive}: cannot be unpacked ({error.strerror or error}). Check the disk, or unpack "
            "it yourself and give the folder."
        ) from error
