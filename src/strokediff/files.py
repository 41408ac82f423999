"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from strokediff.errors import UsageError


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `content` beside `path` under a temporary name, then rename it into place.

    Text is written as UTF-8. Folders on the way are made. Raises `UsageError` naming `path` if it
    cannot be written; an older file of that name is then still there, untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise UsageError(
            f"{path}: cannot be written ({reason}). Expected a path in a folder that you may "
            "write to, on a disk with space left; give another output."
        ) from error


def _umask() -> int:
    """The process's umask; mkstemp ignores it and makes files private."""
    current = os.umask(0o022)
    os.umask(current)
    return current
