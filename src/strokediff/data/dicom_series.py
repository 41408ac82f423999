"""Choose the axial non-contrast head CT among all series found, and say why.

A stack is first asked whether it can be used at all (`objection`); those that can are ranked by
`demerits`, the gravest first. Naming a series by its UID overrules objections that rest on
wording (contrast, projection), not those on geometry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strokediff.data import dicom_words as words
from strokediff.data.dicom_frames import CT_CLASSES
from strokediff.data.dicom_stacks import Stack
from strokediff.data.sanity import MIN_SLICES
from strokediff.errors import InputError

MAX_AXIAL_ANGLE_DEG = 35.0
HEAD_COVERAGE_MM = (90.0, 350.0)
PREFERRED_INCREMENT_MM = (2.0, 6.0)
IDEAL_INCREMENT_MM = 4.0
SIMILAR_COVERAGE = 0.9
"""A stack that covers less than this part of the widest one is ranked lower."""
DYNAMIC_PASSES = 4


@dataclass(frozen=True)
class Verdict:
    """A reason not to use a stack. `kind` groups reasons; `by_wording` ones can be overruled."""

    kind: str
    text: str
    by_wording: bool = False


@dataclass(frozen=True)
class Choice:
    """The chosen stack, what to tell the user in one sentence, and all that was considered."""

    stack: Stack
    explanation: str
    considered: list[dict[str, Any]]
    warnings: tuple[str, ...]


def choose(stacks: list[Stack], path: Path, series_uid: str | None = None) -> Choice:
    """Choose the series to segment; `InputError` lists what was found where none will do."""
    wanted = stacks
    if series_uid is not None:
        wanted = [s for s in stacks if s.head.series_uid == series_uid]
        if not wanted:
            raise InputError(
                f"{path}: no series {series_uid}. Found:\n{_listing(stacks)}\n"
                f"Give one of these with --series."
            )
    objections = {id(s): objection(s, named=series_uid is not None) for s in wanted}
    usable = [s for s in wanted if objections[id(s)] is None]
    if not usable:
        raise _none_usable(path, wanted, [v for v in objections.values() if v is not None])
    widest = max(_coverage_mm(s) for s in usable)
    ranked = sorted(usable, key=lambda s: _rank(s, widest))
    best = ranked[0]
    considered = [_entry(s, best, stacks, series_uid) for s in stacks]
    if series_uid is not None:
        explanation = "the series was named by the user"
    elif len(stacks) == 1:
        explanation = "the only series"
    elif len(usable) == 1:
        explanation = f"the only axial non-contrast head CT among {len(stacks)} stacks of slices"
    else:
        reason = _why_better(best, ranked[1])
        explanation = f"best of {len(usable)} usable stacks among {len(stacks)}: {reason}"
    return Choice(best, explanation, considered, _warnings(best, series_uid))


def objection(stack: Stack, *, named: bool = False) -> Verdict | None:
    """The first reason why a stack cannot be used, or None; `named` skips those on wording."""
    checks = (_not_ct, _wrong_kind, _dynamic, _contrast, _geometry)
    for check in checks:
        verdict = check(stack)
        if verdict is not None and not (named and verdict.by_wording):
            return verdict
    return None


def demerits(stack: Stack) -> list[str]:
    """What speaks against a usable stack, gravest first; empty strings where nothing does."""
    geometry, head = stack.geometry, stack.head
    if geometry is None:
        raise ValueError("only usable stacks are ranked")
    low, high = HEAD_COVERAGE_MM
    thin, thick = PREFERRED_INCREMENT_MM
    increment = _increment(stack)
    return [
        "slices are missing" if geometry.gaps() else "",
        "another part of the body" if words.is_elsewhere(head.body_part, head.description) else "",
        ""
        if low <= _coverage_mm(stack) <= high
        else f"covers {_coverage_mm(stack):.0f} mm, expected {low:.0f} to {high:.0f}",
        "a sharp (bone) kernel" if words.is_sharp(head.kernel, head.description) else "",
        "reformatted" if words.is_reformatted(head.image_type, head.description) else "",
        ""
        if thin <= increment <= thick
        else f"slices {increment:.2g} mm apart, not {thin:g} to {thick:g}",
    ]


def _not_ct(stack: Stack) -> Verdict | None:
    head = stack.head
    if head.modality != "CT":
        return Verdict("modality", f"modality {head.modality or 'unknown'}, not CT")
    if head.sop_class not in CT_CLASSES or head.samples != 1 or not head.rows:
        return Verdict("modality", "not a CT image (a report, a capture or a colour picture)")
    return None


def _wrong_kind(stack: Stack) -> Verdict | None:
    head = stack.head
    if words.is_localizer(head.image_type, head.description):
        return Verdict("localizer", "a localizer (scout view)")
    if words.is_projection(head.image_type, head.description):
        return Verdict("projection", "a projection or map, not slices of HU", by_wording=True)
    return None


def _dynamic(stack: Stack) -> Verdict | None:
    if stack.n_passes > DYNAMIC_PASSES:
        return Verdict(
            "contrast", f"{stack.n_passes} passes over the same slices: perfusion", by_wording=True
        )
    return None


def _contrast(stack: Stack) -> Verdict | None:
    head = stack.head
    if words.contrast_agent_given(head.contrast):
        return Verdict("contrast", f"contrast agent '{head.contrast}'", by_wording=True)
    text = head.description or head.protocol
    if words.says_contrast(text):
        return Verdict("contrast", f"contrast or angiography by its name '{text}'", by_wording=True)
    return None


def _geometry(stack: Stack) -> Verdict | None:
    geometry = stack.geometry
    if geometry is None:
        return Verdict("geometry", "no usable position, orientation or pixel spacing")
    angle = geometry.axial_angle_deg
    if angle > MAX_AXIAL_ANGLE_DEG:
        return Verdict(
            "orientation", f"not axial: {angle:.0f} degrees from the patient's long axis"
        )
    if geometry.n_slices == 1 and len(stack.headers) > 1:
        return Verdict("position", f"all {len(stack.headers)} slices at one position")
    if geometry.n_slices < MIN_SLICES:
        return Verdict("slices", f"{geometry.n_slices} slices, fewer than {MIN_SLICES}")
    return None


def _rank(stack: Stack, widest_mm: float) -> tuple[Any, ...]:
    head = stack.head
    return (
        *(bool(text) for text in demerits(stack)),
        _coverage_mm(stack) < SIMILAR_COVERAGE * widest_mm,
        round(abs(math.log(_increment(stack) / IDEAL_INCREMENT_MM)), 2),
        -len(stack.headers),
        head.series_number,
        head.series_uid,
        head.acquisition_number,
    )


def _increment(stack: Stack) -> float:
    if stack.geometry is None:
        raise ValueError("only usable stacks have an increment")
    return stack.geometry.extent_mm / (stack.geometry.n_slices - 1)


def _coverage_mm(stack: Stack) -> float:
    """Height of the tissue that the slices stand for."""
    return _increment(stack) * (stack.geometry.n_slices if stack.geometry else 0)


def _why_better(best: Stack, other: Stack) -> str:
    for mine, theirs in zip(demerits(best), demerits(other), strict=True):
        if theirs and not mine:
            return f"the next ({_name(other)}) is worse: {theirs}"
    if _coverage_mm(other) < SIMILAR_COVERAGE * _coverage_mm(best):
        return (
            f"it covers {_coverage_mm(best):.0f} mm, the next ({_name(other)}) "
            f"{_coverage_mm(other):.0f} mm"
        )
    return (
        f"slices {_increment(best):.2g} mm apart, the next ({_name(other)}) "
        f"{_increment(other):.2g} mm, else alike; name another one with --series"
    )


def _warnings(best: Stack, series_uid: str | None) -> tuple[str, ...]:
    # Holes are refused later, and thin or thick slices are no flaw in themselves.
    out = [f"the chosen series may not suit: {text}" for text in demerits(best)[1:-1] if text]
    overruled = objection(best) if series_uid is not None else None
    if overruled is not None:
        out.append(f"the series named by the user looks unsuitable: {overruled.text}")
    if best.part:
        out.append(f"only a part of the series is used: {best.part}")
    return tuple(out)


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
        entry["increment_mm"] = round(_increment(stack), 3)
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


def _none_usable(path: Path, stacks: list[Stack], verdicts: list[Verdict]) -> InputError:
    kinds = [v.kind for v in verdicts]
    # The remedy speaks of what came closest to being usable.
    remedies = {
        "slices": f"a stack is too short. Give all slices of the head, at least {MIN_SLICES}",
        "position": "all slices of a series lie at one position, so they form no volume. Give the "
        "original series with ImagePositionPatient in every slice",
        "contrast": "only contrast, angiography or perfusion series are there. Give the "
        "non-contrast series, or name one with --series if its label is wrong",
        "orientation": "there is no axial series. Give the axial reconstruction",
        "geometry": "the slices carry no geometry. Give the original DICOM files",
        "projection": "there are only projections or maps. Give the original slices",
        "localizer": "there are only localizers. Give the axial series",
        "modality": "there is no CT image. Give a head CT",
    }
    kind = next(k for k in remedies if k in kinds)
    return InputError(
        f"{path}: expected an axial non-contrast head CT series, but {remedies[kind]}. "
        f"Found:\n{_listing(stacks)}"
    )


def _listing(stacks: list[Stack], limit: int = 12) -> str:
    lines = []
    for stack in stacks[:limit]:
        verdict = objection(stack)
        state = verdict.text if verdict else "usable"
        lines.append(f"  {stack.head.series_uid} {_name(stack)}: {state}")
    if len(stacks) > limit:
        lines.append(f"  and {len(stacks) - limit} more")
    return "\n".join(lines)


def _name(stack: Stack) -> str:
    text = f"'{stack.head.description}'" if stack.head.description else "without description"
    n = stack.geometry.n_slices if stack.geometry else len(stack.headers)
    return f"{text}, {n} slices"
