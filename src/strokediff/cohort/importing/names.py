"""Names and paths that come from a data set are not trusted: nothing leads out of its folder.

Names of ours are made of them by `strokediff.util.names.safe_name`, in any script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from strokediff.errors import InputError
from strokediff.util import names
from strokediff.util.plaintext import escaped


def inside(path: Path, source: Path) -> Path:
    """`path` if it lies in `source` once links are followed, else `InputError`."""
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: a link that leads nowhere ({error}). Remove it.") from error
    if target.is_relative_to(source.resolve()):
        return path
    raise InputError(
        f"{path}: expected a file inside {source}, but it is a link to {target}. "
        "Copy the file into the folder, or import the folder it lies in."
    )


def entries(folder: Path, source: Path, *suffixes: str) -> list[Path]:
    """What lies in a folder, sorted; with `suffixes` only files that end so, else only folders.

    Hidden entries (.DS_Store, ._0001.png) are passed over. A folder that is not there is empty.
    """
    return [
        inside(path, source)
        for path in _visible(folder, source)
        if (path.name.lower().endswith(suffixes) if suffixes else path.is_dir())
    ]


def strangers(folder: Path, source: Path, *suffixes: str) -> list[Path]:
    """The files of a folder that end in none of `suffixes`, sorted; hidden ones left out."""
    return [
        path
        for path in _visible(folder, source)
        if path.is_file() and not path.name.lower().endswith(suffixes)
    ]


def _visible(folder: Path, source: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            return []
        there = sorted(inside(folder, source).iterdir())
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be listed ({error.strerror}). Change its permissions."
        ) from error
    return [path for path in there if not path.name.startswith(".")]


def composed_stem(path: Path) -> str:
    """The file's name without its ending, composed (NFC): a mask's may be written otherwise."""
    return composed(names.stem(path))


def composed(name: str) -> str:
    """A name as it is told: accents composed with their letters, bytes that are no text escaped."""
    return unicodedata.normalize("NFC", escaped(name))


def by_number(path: Path) -> tuple[tuple[int, ...], str]:
    """Orders 1_2 before 1_10: the numbers in a name, then the name."""
    return tuple(int(digits) for digits in re.findall(r"\d+", path.name)), path.name


def by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by their stems; `InputError` for two of one stem."""
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(composed_stem(path), path)
        if other is not path:
            raise InputError(f"{path}: the same name as {other}. Keep one of them.")
    return found
