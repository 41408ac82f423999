"""Choose the axial non-contrast head CT among all series found, and say why.

A stack is first asked whether it can be used at all (`objection`); those that can are ranked by
`demerits`, the gravest first. Naming a series by its UID overrules objections that rest on
wording (contrast, projection), not those on geometry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from strokediff.ct.checks.sanity import MIN_SLICES
from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import in_time
from strokediff.ct.dicom.listing import listing, name_of, none_usable
from strokediff.ct.dicom.objections import (
    coverage_mm,
    demerits,
    increment_mm,
    objection,
)
from strokediff.ct.dicom.stacks import Stack
from strokediff.errors import InputError

__all__ = ["ChosenSeries", "choose_series", "objection"]
IDEAL_INCREMENT_MM = 4.0
SIMILAR_COVERAGE = 0.9
"""A stack that covers less than this part of the widest one is ranked lower."""


@dataclass(frozen=True)
class ChosenSeries:
    """The chosen stack, what to tell the user in one sentence, and all that was considered.

    `path` is what messages call the input.
    """

    path: Path
    stack: Stack
    explanation: str
    considered: list[dict[str, Any]]
    warnings: tuple[str, ...]

    def moved(self, path: Path, move: Callable[[Path], Path]) -> ChosenSeries:
        """The same where its files lie elsewhere: an archive's members are unpacked anew."""
        seen: dict[int, SliceHeader] = {}

        def there(headers: tuple[SliceHeader, ...]) -> tuple[SliceHeader, ...]:
            for h in headers:
                if id(h) not in seen:
                    seen[id(h)] = replace(h, path=move(h.path))
            return tuple(seen[id(h)] for h in headers)

        stack = replace(self.stack, headers=there(self.stack.headers))
        if stack.geometry is not None:
            groups = tuple(there(group) for group in stack.geometry.groups)
            stack = replace(stack, geometry=replace(stack.geometry, groups=groups))
        return replace(self, path=path, stack=stack)


def choose_series(stacks: list[Stack], path: Path, series_uid: str | None = None) -> ChosenSeries:
    """Choose the series to segment; `InputError` lists what was found where none will do."""
    wanted = stacks
    if series_uid is not None:
        wanted = [s for s in stacks if s.head.series_uid == series_uid]
        if not wanted:
            raise InputError(
                f"{path}: no series {series_uid}. Found:\n{listing(stacks)}\n"
                f"Give one of these with --series."
            )
    objections = {id(s): objection(s, named=series_uid is not None) for s in wanted}
    usable = [s for s in wanted if objections[id(s)] is None]
    if not usable:
        raise none_usable(path, wanted, [v for v in objections.values() if v is not None])
    widest = max(coverage_mm(s) for s in usable)
    ranked = sorted(usable, key=lambda s: _rank(s, widest))
    best = _earliest_pass(ranked[0], usable, widest)
    rest = [s for s in ranked if s is not best]
    considered = [_entry(s, best, stacks, series_uid) for s in stacks]
    if series_uid is not None:
        explanation = "the series was named by the user"
    elif len(stacks) == 1:
        explanation = "the only series"
    elif len(usable) == 1:
        explanation = f"the only axial non-contrast head CT among {len(stacks)} stacks of slices"
    else:
        reason = _why_better(best, rest[0])
        explanation = f"best of {len(usable)} usable stacks among {len(stacks)}: {reason}"
    warnings = _warnings(best, usable, stacks, widest, series_uid is not None)
    return ChosenSeries(path, best, explanation, considered, warnings)


def _rank(stack: Stack, widest_mm: float) -> tuple[Any, ...]:
    return (*_merit(stack, widest_mm), *_arbitrary(stack))


def _merit(stack: Stack, widest_mm: float) -> tuple[Any, ...]:
    """What makes one stack better than another, the smaller the better."""
    return (
        *(demerit is not None for demerit in demerits(stack)),
        coverage_mm(stack) < SIMILAR_COVERAGE * widest_mm,
        round(abs(math.log(increment_mm(stack) / IDEAL_INCREMENT_MM)), 2),
    )


def _arbitrary(stack: Stack) -> tuple[Any, ...]:
    """What decides between stacks that are equally good, so that files' order does not."""
    head = stack.head
    first = min(in_time(h) for h in stack.headers)
    return -len(stack.headers), head.series_number, head.series_uid, first


def _earliest_pass(best: Stack, usable: list[Stack], widest_mm: float) -> Stack:
    """The first of the equally good passes of the best series: it is before any contrast."""
    passes = [
        s
        for s in usable
        if s.told_by
        and s.head.series_uid == best.head.series_uid
        and _merit(s, widest_mm) == _merit(best, widest_mm)
    ]
    return min(passes, key=lambda s: min(in_time(h) for h in s.headers), default=best)


def _why_better(best: Stack, other: Stack) -> str:
    for mine, theirs in zip(demerits(best), demerits(other), strict=True):
        if theirs is not None and mine is None:
            return f"the next ({name_of(other)}) is worse: {theirs.text}"
    if coverage_mm(other) < SIMILAR_COVERAGE * coverage_mm(best):
        return (
            f"it covers {coverage_mm(best):.0f} mm, the next ({name_of(other)}) "
            f"{coverage_mm(other):.0f} mm"
        )
    if _same_series(best, other):
        return f"the first pass; the next ({name_of(other)}) is later, else alike"
    return (
        f"slices {increment_mm(best):.2g} mm apart, the next ({name_of(other)}) "
        f"{increment_mm(other):.2g} mm, else alike; name another one with --series"
    )


def _warnings(
    best: Stack, usable: list[Stack], stacks: list[Stack], widest: float, named: bool
) -> tuple[str, ...]:
    out = [
        f"the chosen series may not suit: {demerit.text}"
        for demerit in demerits(best)
        if demerit is not None and demerit.warned
    ]
    overruled = objection(best) if named else None
    if overruled is not None:
        out.append(f"the series named by the user looks unsuitable: {overruled.text}")
    if best.part:
        out.append(f"only a part of the series is used: {best.part}{_other_passes(best, stacks)}")
    if best.note:
        out.append(f"the series was put together from parts: {best.note}")
    if not named:
        out += _ties(best, usable, widest)
    return tuple(out)


def _other_passes(best: Stack, stacks: list[Stack]) -> str:
    """What was left out of a series that was split, and by what it was told apart."""
    others = [s for s in stacks if s is not best and s.told_by and _same_series(s, best)]
    if not best.told_by or not others:
        return ""
    names = ", ".join(_partname_of(s) for s in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    if best.n_passes == 1:
        return f", told apart by {best.told_by}; scanned again and left out: {names}{more}"
    return (
        f" of {best.n_passes} passes over the head, told apart by {best.told_by}; left out: "
        f"{names}{more}. To use another one, give its files in a folder of their own"
    )


def _partname_of(stack: Stack) -> str:
    """A part of a series by what tells it apart and its size; a few slices also by their files."""
    n = len(stack.headers)
    if n >= MIN_SLICES:
        return f"{stack.part} ({n} slices)"
    return f"{stack.part} ({n} slices: {', '.join(h.path.name for h in stack.headers)})"


def _ties(best: Stack, usable: list[Stack], widest: float) -> list[str]:
    """Of another series that is as good, so that only its number decided."""
    alike = [
        s for s in usable if not _same_series(s, best) and _merit(s, widest) == _merit(best, widest)
    ]
    if not alike:
        return []
    other = min(alike, key=lambda s: _rank(s, widest))
    more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
    return [
        f"nothing but its number of slices or of the series tells the chosen series "
        f"({name_of(best)}) from {other.head.series_uid} ({name_of(other)}){more}. Look whether it "
        f"is the plain scan; use the other one with --series {other.head.series_uid}"
    ]


def _same_series(a: Stack, b: Stack) -> bool:
    return a.head.series_uid == b.head.series_uid


def _entry(stack: Stack, best: Stack, stacks: list[Stack], uid: str | None) -> dict[str, Any]:
    head, geometry = stack.head, stack.geometry
    entry: dict[str, Any] = {
        "series_uid": head.series_uid,
        "description": head.description,
        "part": stack.part,
        "modality": head.modality,
        "kernel": head.kernel,
        "n_slices": geometry.n_slices if geometry else len(stack.headers),
        "increment_mm": None,
        "chosen": stack is best,
    }
    if geometry and geometry.n_slices > 1:
        entry["increment_mm"] = round(increment_mm(stack), 3)
    verdict = objection(stack)
    if stack is best:
        entry["reason"] = "named by the user" if uid else "chosen"
    elif verdict is not None:
        entry["reason"] = f"rejected: {verdict.text}"
    elif uid is not None:
        entry["reason"] = "not the series that was named"
    else:
        entry["reason"] = f"ranked lower: {_why_better(best, stack)}"
    return entry
