"""What the user is told of an error: one sentence and an exit code, safe for any terminal."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from strokediff.errors import InputError, StrokediffError


def exit_of(error: BaseException) -> tuple[str, int] | None:
    """Sentence and exit code of an error that has an explanation; None if it is a bug."""
    if isinstance(error, StrokediffError):
        return str(error), error.exit_code
    found = _of_the_system(error)
    return None if found is None else (found, InputError.exit_code)


def tell(message: str) -> None:
    """Print it on standard error, the first line with the program's name.

    Further lines are set in: no file name can make a line that passes for the program's own.
    """
    from strokediff.util.plaintext import terminal

    first, *more = terminal(f"strokediff: {message}").split("\n")
    lines = [first, *(line if line.startswith((" ", "- ")) else f"  {line}" for line in more)]
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except OSError:  # nobody reads it
        _discard(sys.stderr)


def open_streams() -> None:
    """Standard streams that take any text: what they cannot show is escaped, never an error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the program
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def flush_streams() -> None:
    """Write what is left; a reader that has gone (`| head`) is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Have the rest go nowhere, or the interpreter complains when it ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


def _of_the_system(error: BaseException) -> str | None:
    if isinstance(error, RecursionError):
        return "a file is nested too deeply to be read. Expected JSON as strokediff writes it."
    if isinstance(error, UnicodeError):
        return f"a name or text that cannot be read or written here ({error}). Rename the file."
    if isinstance(error, PermissionError):
        return f"{_place(error)}: {error.strerror}. Change its permissions."
    if isinstance(error, OSError):  # a disk that is gone, a share that does not answer
        return f"{error}. Check the disk, then try again."
    if isinstance(error, Exception):
        from strokediff.training.trouble import trouble_of

        found = trouble_of(error)
        if found is not None:
            return f"{found.what} ({str(error) or type(error).__name__}). {found.remedy}"
    return None


def _place(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "a file"
