"""Kinds of lesion: the label's K channels by name, all diffused with the one noise.

The papers have one label a cohort, infarct or haemorrhage. Here y_0 is (B, K, H, W), a channel a
kind; with K = 1 everything is as they have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

INFARCT, HAEMORRHAGE = "infarct", "haemorrhage"
LESION = "lesion"
"""What all kinds of lesion are called where they are joined."""
JOINED = (LESION,)
"""One channel for lesions of any kind."""
STROKE = (INFARCT, HAEMORRHAGE)
MOST_KINDS = 8
"""A prepared label keeps a bit a kind in one byte."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def checked_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """`kinds` as a tuple; `ValueError` unless they are 1 to 8 different names of plain letters.

    >>> checked_kinds(["infarct", "haemorrhage"])
    ('infarct', 'haemorrhage')
    >>> checked_kinds(["Infarct!"])
    Traceback (most recent call last):
    ValueError: a kind of lesion is named with small letters, digits, '-' and '_', got 'Infarct!'
    """
    found = tuple(kinds)
    for name in found:
        if not _NAME.fullmatch(name):
            raise ValueError(
                "a kind of lesion is named with small letters, digits, '-' and '_', "
                f"got {name[:50]!r}"
            )
    if not 1 <= len(found) <= MOST_KINDS or len(set(found)) < len(found):
        raise ValueError(f"expected 1 to {MOST_KINDS} different kinds of lesion, got {found}")
    return found


Kinds = Annotated[tuple[str, ...], AfterValidator(checked_kinds)]
"""A field of a configuration that names kinds."""
