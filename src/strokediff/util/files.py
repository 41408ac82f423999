"""Atomic writing: a reader sees the old file or the whole new one, never half of it.

Everything is written under a hidden temporary name in the target's own folder, flushed to the
disk, then renamed. On any failure the temporary is removed and the old content stays; what a
killed process left is removed by the next that writes there.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from strokediff.errors import UsageError
from strokediff.util.leftovers import aside_name, remove, sweep, temporary_name
from strokediff.util.locks import sole as sole

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h

_UNWRITABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path with the same suffixes; on a clean exit it becomes `path`.

    Missing parent folders are created. Raises `UsageError` when the place cannot be written
    (permissions, full disk, a folder of that name); other errors of the body pass through.
    """
    path = Path(path)
    temporary = temporary_name(path)
    with writable(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "a folder of that name exists", str(path))
            yield temporary
            sync(temporary)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder; on a clean exit it replaces the folder `path`.

    Old and new are exchanged in one step where the system can do it (Linux). Elsewhere the old
    folder is moved aside first, and `recover` brings it back after a kill between the two renames.
    """
    path = refuse_here(path)
    temporary = temporary_name(path)
    with writable(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            recover(path)
            if path.exists() and not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file of that name exists", str(path))
            temporary.mkdir()
            yield temporary
            for file in temporary.rglob("*"):
                sync(file)
            sync(temporary)
            _swap_folder(temporary, path)
        finally:
            remove(temporary)  # half of the new, or all of the old
        sync(path.parent)


def recover(path: str | Path) -> None:
    """Finish what a kill between the two renames of `atomic_directory` left of the folder `path`.

    For who opens such a folder, before. Nothing happens in the usual case.
    """
    path = Path(path).absolute()
    aside = aside_name(path)
    if path.exists():
        remove(aside)
    elif aside.is_dir():
        time.sleep(0.2)  # the process may be alive and about to do the second
        with suppress(OSError):
            if not path.exists():
                aside.rename(path)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8 with unchanged line ends.

    A byte of a file name that is not UTF-8 (a lone surrogate here) is written as its escape, which
    JSON reads back as it was.
    """
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, content: Any) -> None:
    """Write plain JSON values to `path` atomically; NaN and infinities are refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _swap_folder(temporary: Path, path: Path) -> None:
    """Afterwards `temporary` is the old folder, or is not there."""
    if not path.exists():
        temporary.replace(path)
        return
    if _exchange(temporary, path):
        return
    aside = aside_name(path)
    path.replace(aside)
    try:
        temporary.replace(path)
    except BaseException:
        recover(path)
        raise
    remove(aside)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; whether the system can do that."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # no Linux, or an old C library
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk; folders where the system allows it."""
    if path.is_dir():
        with suppress(OSError):
            _fsync(path)
    else:
        _fsync(path)


def _fsync(path: Path) -> None:
    # Windows refuses to flush a read-only handle, POSIX refuses to open a folder for writing.
    mode = os.O_RDWR if os.name == "nt" else os.O_RDONLY
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_here(path: str | Path) -> Path:
    """The absolute path of a folder to write, `UsageError` if one is in it: it is replaced."""
    place = Path(path).resolve()
    if place in (Path.cwd(), *Path.cwd().parents):
        raise UsageError(f"{path}: is the folder you are in, or above it. Name a folder below it.")
    return place


def refuse_others(folder: Path, names: Container[str], what: str) -> None:
    """`UsageError` if a folder to write into holds files that are no part of `what`."""
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    others = [name for name in there if name not in names and not name.startswith(".")]
    if others:
        raise UsageError(
            f"{folder}: holds what is no {what} ({', '.join(others[:5])}). Choose a new folder."
        )


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the system says of a place that cannot be written into a `UsageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise UsageError(
            f"{path}: cannot be written ({error.strerror}). "
            f"Expected a writable place with room; choose another output folder."
        ) from error
