"""Values of DICOM elements as plain Python, whatever a damaged or unusual header holds.

Nothing here raises for a value of the wrong type, number or range: it is as if it were absent.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.sequence import Sequence
from pydicom.tag import Tag

MAX_TEXT = 200
MAX_VALUES = 64
"""Values of one element that are looked at; headers have at most a dozen."""
LARGEST_INTEGER = 2**32
LARGEST_NUMBER = 1e9
"""No length or position in a CT header is larger."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")


def value_of(dataset: pydicom.Dataset, keyword: str) -> Any:
    """A value, or None where it is absent or cannot be parsed.

    pydicom converts on access, with a warning of what is unusual: call it within `quiet`.
    """
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom raises many kinds on nonsense
        return None


def items_of(dataset: pydicom.Dataset, keyword: str) -> list[pydicom.Dataset]:
    """The items of a sequence; none where it is absent, or an element of another kind."""
    value = value_of(dataset, keyword)
    return list(value) if isinstance(value, Sequence) else []


def integer(value: Any, default: int = 0) -> int:
    """A whole number; the default for anything else, infinities and absurd sizes included."""
    try:
        found = int(value)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return default
    return found if abs(found) <= LARGEST_INTEGER else default


def number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        found = float(value)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return None
    return found if np.isfinite(found) else None


def text(value: Any) -> str:
    """Printable text, cut: damaged headers can hold anything, and this reaches messages."""
    try:
        shown = "" if value is None else str(value)
    except Exception:  # an object from a damaged element may fail at being shown, too
        return ""
    shown = _mended(shown[: 4 * MAX_TEXT]).strip()
    # Interned: a series repeats its texts in every slice, and cohorts have many of both.
    return sys.intern("".join(c if c.isprintable() else "?" for c in shown[:MAX_TEXT]))


def texts_of(value: Any) -> tuple[str, ...]:
    """Each value of an element as text; a single value is one text."""
    if value is None:
        return ()
    many = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
    return tuple(text(v) for v in many[:MAX_VALUES])


def numbers_in(dataset: pydicom.Dataset, keyword: str, count: int) -> NDArray[np.float64] | None:
    """`count` finite numbers of an element, or None.

    A comma is read as the decimal sign where it stands once within each value ("0,488").
    """
    found = _floats(value_of(dataset, keyword), count)
    if found is None and "," in (raw := raw_text(dataset, keyword)):
        values = raw.split("\\")
        if all(_DECIMAL_COMMA.fullmatch(v) or number(v) is not None for v in values):
            found = _floats([v.replace(",", ".") for v in values], count)
    return found


def has_decimal_comma(dataset: pydicom.Dataset, keyword: str) -> bool:
    """Whether an element's numbers are written with a comma."""
    return "," in raw_text(dataset, keyword)


def raw_text(dataset: pydicom.Dataset, keyword: str) -> str:
    """An element as it stands in the file, for what cannot be parsed; empty where absent."""
    try:
        tag = Tag(keyword)
        if tag not in dataset:
            return ""
        value = dataset.get_item(tag).value
        if isinstance(value, bytes):
            value = value[: 4 * MAX_TEXT].decode("latin-1")
        elif not isinstance(value, str):
            value = "\\".join(texts_of(value))
    except Exception:  # as in `value_of`
        return ""
    return "\\".join(part.strip(" \0") for part in value.split("\\"))


def _floats(value: Any, count: int) -> NDArray[np.float64] | None:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        value = [value]
    try:
        listed = [float(v) for v in value]
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return None
    numbers = np.array(listed, dtype=np.float64)
    if len(numbers) != count or not np.isfinite(numbers).all():
        return None
    return numbers if np.abs(numbers).max() <= LARGEST_NUMBER else None


def _mended(shown: str) -> str:
    """Text whose character set was not declared: ISO 2022 escapes, or UTF-8 read as Latin-1."""
    try:
        raw = shown.encode("latin-1")
    except UnicodeEncodeError:
        return shown
    if raw.isascii() and b"\x1b" not in raw:
        return shown
    for encoding in ("utf-8",) if b"\x1b" not in raw else ("iso2022_jp_2", "iso2022_kr"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return shown
