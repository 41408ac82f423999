"""cohort.json of a prepared cohort, read strictly: what has another type or place is refused.

Names of patients are names of folders inside patients.zarr and nothing else: one that could lead
out of it is refused, whoever wrote it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json
from strokediff.util.plaintext import visible

COHORT_FORMAT = 2
SPLITS = ("train", "val", "test")
_MAX_SIDE = 2048
"""Pixels along a side of the network's grid."""
COUNTS = ("slices", "lesion_slices", "brain_slices")
AGAIN = "Copy the whole cohort again, or prepare it again with: strokediff prepare SRC COHORT"


@dataclass(frozen=True)
class Contents:
    """The checked contents; see `strokediff.cohort.store.Cohort`."""

    grid: GridConfig
    split: dict[str, list[str]]
    origin: dict[str, Any]
    patients: dict[str, dict[str, Any]]
    findings: tuple[str, ...]
    left_out: dict[str, str]


def read_cohort_record(file: Path) -> Contents:
    """Read and check a cohort.json; `InputError` says what is not as it should be."""
    meta = read_json(file, "the description of a prepared cohort", remedy=AGAIN)
    if meta.get("format") != COHORT_FORMAT or "split" not in meta:
        raise InputError(
            f"{file}: expected a prepared cohort of format {COHORT_FORMAT}, got format "
            f"{_short(meta.get('format'))}. {AGAIN}"
        )
    try:
        patients = _patients(_object(meta, "patients"))
        return Contents(
            grid=_grid(_object(meta, "grid")),
            split=_split(_object(meta, "split"), patients),
            origin=_origin(_object(meta, "origin")),
            patients=patients,
            findings=tuple(_texts(meta.get("findings", []), "findings")),
            left_out=dict(_named_texts(meta.get("left_out", {}))),
        )
    except _Unfit as problem:
        raise InputError(f"{file}: cannot be read as a cohort: {problem}. {AGAIN}") from None


def is_own_name(name: str) -> bool:
    """Whether a patient's name is that of one folder inside patients.zarr."""
    return (
        0 < len(name.encode(errors="replace")) <= 255
        and not set(name) & set("/\\\0")
        and not name.startswith(".")
        and name != "zarr.json"
    )


class _Unfit(Exception):
    """What was expected and what came."""


def _expect(fits: bool, what: str, value: Any) -> None:
    if not fits:
        raise _Unfit(f"expected {what}, got {_short(value)}")


def _object(meta: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = meta.get(key)
    _expect(isinstance(found, dict), f"an object as {key!r}", found)
    assert isinstance(found, dict)
    return found


def _grid(fields: dict[str, Any]) -> GridConfig:
    try:
        grid = GridConfig(**fields)
    except (TypeError, ValueError) as error:
        raise _Unfit(f"its grid does not fit ({' '.join(str(error).split())[:200]})") from None
    numbers = (grid.spacing_mm, grid.window_level, grid.window_width)
    _expect(grid.size <= _MAX_SIDE, f"a grid of at most {_MAX_SIDE} pixels a side", grid.size)
    _expect(all(map(isfinite, numbers)), "finite numbers in its grid", numbers)
    return grid


def _split(fields: dict[str, Any], patients: Mapping[str, Any]) -> dict[str, list[str]]:
    split = {part: _texts(fields.get(part), f"split: {part}") for part in SPLITS}
    everyone = [name for names in split.values() for name in names]
    unknown = sorted(set(everyone) - set(patients))
    _expect(not unknown, "patients of the cohort in its split", ", ".join(unknown[:5]))
    times = Counter(everyone)
    twice = sorted(name for name, n in times.items() if n > 1)
    _expect(not twice, "every patient once in its split", ", ".join(twice[:5]) + " twice")
    return split


def _origin(origin: dict[str, Any]) -> dict[str, Any]:
    for key in ("description", "licence", "spacing", "source", "spacing_note"):
        _expect(
            isinstance(origin.get(key, ""), str), f"a text as origin's {key!r}", origin.get(key)
        )
    return origin


def _patients(patients: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for name, entry in patients.items():
        _expect(is_own_name(name), "names of patients that name one folder", name)
        _expect(isinstance(entry, dict), f"an object for patient {_short(name)}", entry)
        for key in COUNTS:
            count = entry.get(key, 0)
            fits = isinstance(count, int) and not isinstance(count, bool) and count >= 0
            _expect(fits, f"a whole number as {key!r} of {_short(name)}", count)
        for key in ("patient", "image", "original"):
            text = entry.get(key, "")
            _expect(isinstance(text, str), f"a text as {key!r} of {_short(name)}", text)
        spacing = entry.get("spacing_mm")
        _expect(
            spacing is None or _are_lengths(spacing),
            f"three lengths in mm for {_short(name)}",
            spacing,
        )
        ml = entry.get("volume_ml", 0.0)
        _expect(_is_number(ml) and ml >= 0, f"a volume for {_short(name)}", ml)
    return patients


def _are_lengths(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 3 and all(map(_is_number, value))
    return numbers and all(0 < length < 1e4 for length in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(value: Any, what: str) -> list[str]:
    fits = isinstance(value, list) and all(isinstance(text, str) for text in value)
    _expect(fits, f"a list of texts as {what!r}", value)
    return list(value)


def _named_texts(value: Any) -> dict[str, str]:
    fits = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    _expect(fits, "reasons by name as 'left_out'", value)
    return dict(value)


def _short(value: Any) -> str:
    return visible(repr(value))[:120]
