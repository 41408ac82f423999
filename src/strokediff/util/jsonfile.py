"""JSON that may come from anywhere, read without surprises.

A file is refused that is no regular one (a pipe would wait forever), has more than `MAX_JSON_BYTES`
(as objects it takes thirty times that), is nested deeper than `MAX_JSON_DEPTH`, or holds a number
that neither a float64 nor a 64-bit integer holds: NaN, infinities and the like are no JSON, and
would pass every comparison made of them later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from strokediff.errors import InputError

MAX_JSON_BYTES = 32 * 2**20
MAX_JSON_DEPTH = 100
_INTEGERS = 2**64


def read_json(path: Path, what: str, *, remedy: str = "Copy it again.") -> dict[str, Any]:
    """The object in a JSON file in UTF-8 (or UTF-16, or with a byte order mark).

    `what` names the file's part in the whole ("a prepared cohort's description") and `remedy` says
    what to do, both for the message. Raises `InputError` if the file is missing, unreadable, beyond
    a bound of this module, not JSON, or no object.
    """
    found: dict[str, Any] = _read(path, what, remedy, dict)
    return found


def read_json_list(path: Path, what: str, *, remedy: str = "Copy it again.") -> list[Any]:
    """The list in a JSON file; as `read_json` but for that."""
    found: list[Any] = _read(path, what, remedy, list)
    return found


def _read(path: Path, what: str, remedy: str, kind: type) -> Any:
    try:
        content = _content(path)
        found = json.loads(
            content, parse_constant=_refused, parse_float=_finite, parse_int=_integer
        )
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else f"{error.strerror}"
    except RecursionError:
        reason = f"nested deeper than {MAX_JSON_DEPTH}"
    except _Refused as error:
        reason = str(error)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are two
        reason = f"corrupt, not JSON ({error})"
    else:
        if not isinstance(found, kind):
            wanted = "a JSON object" if kind is dict else "a list"
            reason = f"corrupt, expected {wanted}, got {_kind(found)}"
        elif _deep(found):
            reason = f"nested deeper than {MAX_JSON_DEPTH}"
        else:
            return found
    raise InputError(f"{path}: {reason}. Expected {what}. {remedy}")


class _Refused(Exception):
    """The file is none that is read for its JSON."""


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise _Refused("a folder" if path.is_dir() else "no regular file")
    with path.open("rb") as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise _Refused(f"more than {MAX_JSON_BYTES // 2**20} MB")
    return content


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:30]} is beyond all numbers")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or not -_INTEGERS < int(text) < _INTEGERS:
        raise ValueError(f"{text[:30]} is beyond 64 bits")
    return int(text)


def _kind(value: Any) -> str:
    kinds = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        type(None): "null",
    }
    return kinds.get(type(value), "a number")


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [child for own in level for child in _children(own)]
    return bool(level)


def _children(value: Any) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value
    return list(inside) if isinstance(value, dict | list) else []
