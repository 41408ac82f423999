"""What dataset.json of nnU-Net says of its one channel and its labels, in the words in use."""

from __future__ import annotations

import re
from typing import Any

PLAIN_CT = {"ct", "ncct", "nct", "nect", "cct", "ncht", "tomography"}
"""One of these must be there."""
NEGATIONS = {"non", "no", "nc", "without", "wo", "un", "unenhanced", "ncct", "nect", "nct"}
_BESIDE = {
    "computed",
    "computerized",
    "computerised",
    "plain",
    "native",
    "head",
    "brain",
    "cranial",
}
_BESIDE |= {"axial", "image", "scan", "hu", "noncontrast", "baseline", "admission", "of", "the"}
_BESIDE |= NEGATIONS
_ENHANCED = {"contrast", "enhanced", "enhancement", "contrastenhanced"}
"""Only beside a negation."""


def is_plain_ct_channel(channel: object) -> bool:
    """Whether the name of a channel is one of plain CT; every word of it must be known.

    >>> [is_plain_ct_channel(c) for c in ("CT ", "NCCT", "CT_NC", "Computed Tomography")]
    [True, True, True, True]
    >>> [is_plain_ct_channel(c) for c in ("CTA", "CT with contrast", "T1")]
    [False, False, False]
    """
    if not isinstance(channel, str):
        return False
    words = set(re.findall(r"[^\W_]+", channel.lower()))
    negated = bool(words & NEGATIONS)
    known = PLAIN_CT | _BESIDE | (_ENHANCED if negated else set())
    return bool(words & PLAIN_CT) and words <= known


def label_values(labels: Any) -> dict[str, tuple[int, ...]]:
    """Name to values; version 1 wrote numbers as keys and names as values.

    Raises `TypeError` or `ValueError` for what is no such mapping.
    """
    if not isinstance(labels, dict):
        raise TypeError(f"expected an object, got {type(labels).__name__}")
    if (
        labels
        and all(key.isdecimal() for key in labels)
        and not any(map(_numeric, labels.values()))
    ):
        return {str(name): (_whole(key),) for key, name in labels.items()}
    return {
        name: tuple(_whole(one) for one in (value if isinstance(value, list) else [value]))
        for name, value in labels.items()
    }


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float | list)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} is no whole number")
    number = int(value)
    if number != float(value) or abs(number) >= 2**31:
        raise ValueError(f"{value!r} is no whole number of 32 bits")
    return number
