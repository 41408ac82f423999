"""Temporary names that say whose they are, so that what a killed run left is cleared by the next.

`.tmp-PID.BORN.WHERE-RANDOM-NAME`: the process, when it started, and the machine (host, boot and
process namespace, as a digest). What a live process may still write to is never touched.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"
_ASIDE = f"{TEMPORARY_PREFIX}old-"
"""A folder on its way out, where the system cannot exchange two in one step."""
DAY_S = 24 * 3600.0
_MAX_ENDING_BYTES = 60

_OWNED = re.compile(r"\.tmp-(\d+)\.(\w*)\.([0-9a-f]{8})-[0-9a-f]{8}-.*", re.DOTALL)
_UNOWNED = re.compile(r"\.tmp-[0-9a-f]{8}-.*", re.DOTALL)  # version 0.1.0
_swept: set[Path] = set()


def temporary_name(path: Path) -> Path:
    """A hidden sibling that ends as `path` does (writers choose the format by the suffix)."""
    owner = f"{os.getpid()}.{_born(os.getpid())}.{_where()}"
    return path.with_name(f"{TEMPORARY_PREFIX}{owner}-{secrets.token_hex(4)}-{_ending(path.name)}")


def aside_name(path: Path) -> Path:
    """Where the folder `path` lies between two renames; the same in every process."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f"{_ASIDE}{digest}")


def sweep(folder: Path) -> None:
    """Remove what dead runs left in `folder`; once a process and folder, as it lists all of it."""
    place = folder.absolute()
    if place in _swept:
        return
    _swept.add(place)
    with suppress(OSError), os.scandir(folder) as entries:
        left = [Path(e.path) for e in entries if e.name.startswith(TEMPORARY_PREFIX)]
        for path in left:
            if is_dead(path):
                remove(path)


def is_dead(path: Path) -> bool:
    """Whether nobody writes to the temporary `path` any more; no, where that cannot be known.

    On this machine the process is looked up; of another machine's, a day without a change tells.
    """
    found = _OWNED.fullmatch(path.name)
    if found and found[3] == _where() and os.name == "posix":
        return _born(int(found[1])) != found[2]
    return bool(found or _UNOWNED.fullmatch(path.name)) and _age_s(path) > DAY_S


def remove(path: Path) -> None:
    """Remove a file or a whole folder; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _ending(name: str) -> str:
    """The last characters of a name, at most `_MAX_ENDING_BYTES` bytes of them."""
    while len(os.fsencode(name)) > _MAX_ENDING_BYTES:
        name = name[1:]
    return name


@cache
def _where() -> str:
    """What tells machines, their boots and their process namespaces apart."""
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        known.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256(" ".join(known).encode()).hexdigest()[:8]


def _born(pid: int) -> str:
    """When the process started, in the system's ticks; "" if there is no process of that number.

    Where the system does not tell ticks, "alive".
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _alive(pid)
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]


def _alive(pid: int) -> str:
    if os.name != "posix":  # there, a signal of 0 is Ctrl-C
        return "alive"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return "alive"
    return "alive"


def _age_s(path: Path) -> float:
    """Seconds since the last change of it or of anything in it."""
    newest = 0.0
    with suppress(OSError):
        newest = path.lstat().st_mtime
        inside = path.rglob("*") if path.is_dir() else ()
        newest = max([newest, *(p.lstat().st_mtime for p in inside)])
    return time.time() - newest if newest else 0.0
