"""Atomic writing: a reader sees the old file or the whole new one, never half of it.

Everything is written under a hidden temporary name in the target's own folder, flushed to the
disk, then renamed. On any failure the temporary is removed and the old content stays.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from strokediff.data.locks import sole as sole
from strokediff.errors import UsageError

TEMPORARY_PREFIX = ".tmp-"

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
    temporary = _temporary_name(path)
    with writable(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "a folder of that name exists", str(path))
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder; on a clean exit it replaces the folder `path`.

    An existing folder is moved aside first and removed last, so a kill between the two renames
    leaves both complete versions (the old one under a `.tmp-` name), never a mixture.
    """
    path = refuse_here(path)
    temporary = _temporary_name(path)
    with writable(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file of that name exists", str(path))
            temporary.mkdir()
            yield temporary
            for file in temporary.rglob("*"):
                _sync(file)
            _sync(temporary)
            _swap_folder(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync(path.parent)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8 with unchanged line ends."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: str | Path, content: Any) -> None:
    """Write plain JSON values to `path` atomically; NaN and infinities are refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _temporary_name(path: Path) -> Path:
    """A hidden sibling that keeps the suffixes (writers choose the format by them)."""
    return path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{path.name[-150:]}")


def _swap_folder(temporary: Path, path: Path) -> None:
    if not path.exists():
        temporary.replace(path)
        return
    old = _temporary_name(path)
    path.replace(old)
    try:
        temporary.replace(path)
    except OSError:
        old.replace(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
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
