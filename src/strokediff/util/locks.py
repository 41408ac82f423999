"""A folder for one run at a time: who comes second is told who is there.

The lock is the system's, on a hidden file in the folder: it ends with the process, however that
ends, and is never inherited by processes that it starts. The file says who holds it.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from strokediff.errors import InputError, UsageError
from strokediff.util.jsonfile import read_json

LOCK_NAME = ".strokediff-lock"
FAR = 1 << 30
"""Where the locked byte lies: behind the text, which others read (Windows locks reading too)."""

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_held: set[Path] = set()


@contextmanager
def sole(folder: Path, what: str) -> Iterator[None]:
    """Hold `folder` for this run; `UsageError` if another run, or this one, holds it already.

    `what` says what the run does ("segment"), for who comes second. The folder is made if it is
    not there, and removed again if nothing was written to it. A file system without locks gets
    none: the run goes on unguarded.
    """
    folder = folder.absolute()
    made = not folder.exists()
    file = folder.resolve() / LOCK_NAME
    if file in _held:
        raise UsageError(f"{folder}: this run is writing there already. Choose another folder.")
    # Before the file is opened: whoever closes it in this process gives up the process's lock.
    _held.add(file)
    try:
        handle = _acquire(folder, file)
        try:
            _sign(handle, what)
            yield
        finally:
            _release(handle, file)
            if made:
                with suppress(OSError):
                    folder.rmdir()
    finally:
        _held.discard(file)


def _acquire(folder: Path, file: Path) -> int:
    """The open, locked file; it is the one that lies under the name, not one removed since."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot write there ({error.strerror}). Choose another folder."
            ) from None
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return handle
            os.close(handle)
            if error.errno in _TAKEN:
                raise UsageError(_told(folder, file)) from None
            raise
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), file.stat()):
                return handle
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        # POSIX locks, not flock: a forked worker that outlives a killed run must not hold it.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, FAR)


def _release(handle: int, file: Path) -> None:
    """Remove the file while it is locked, so that nobody locks one that is about to go."""
    with suppress(OSError):
        file.unlink()
    os.close(handle)
    with suppress(OSError):
        if os.name == "nt":  # an open file cannot be removed there
            file.unlink()


def _sign(handle: int, what: str) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    holder = {"what": what, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    with suppress(OSError):  # a full disk: it is locked all the same
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(holder).encode())


def _told(folder: Path, file: Path) -> str:
    holder: dict[str, Any] = {}
    with suppress(InputError):
        holder = read_json(file, "who holds the folder")
    who = f"strokediff {holder.get('what', '')}".strip()
    facts = [f"{key} {holder[key]}" for key in ("pid", "host", "since") if key in holder]
    known = f" ({', '.join([who, *facts])})" if facts else ""
    return (
        f"{folder}: another run is writing there{known}. Wait until it has ended, or choose "
        "another folder."
    )
