"""What speaks against a stack of slices as the plain head CT: reasons to refuse it, or to prefer
another one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from strokediff.ct.checks.sanity import MIN_SLICES
from strokediff.ct.dicom import words as words
from strokediff.ct.dicom.frames import CT_CLASSES, SliceHeader
from strokediff.ct.dicom.stacks import Stack
from strokediff.ct.dicom.wording import Wording, agent_given, energy_kev, is_virtual, wording

MAX_AXIAL_ANGLE_DEG = 35.0
HEAD_COVERAGE_MM = (90.0, 350.0)
PREFERRED_INCREMENT_MM = (2.0, 6.0)
LIKE_PLAIN_KEV = (60.0, 80.0)
"""Monoenergetic images of these energies look like those of 120 kV; others have other HU."""
DYNAMIC_PASSES = 4


@dataclass(frozen=True)
class Verdict:
    """A reason not to use a stack. `kind` groups reasons; `by_wording` ones can be overruled."""

    kind: str
    text: str
    by_wording: bool = False


@dataclass(frozen=True)
class Demerit:
    """A reason to prefer another stack; `warned` if it is told of the chosen one."""

    text: str
    warned: bool = True


def objection(stack: Stack, *, named: bool = False) -> Verdict | None:
    """The first reason why a stack cannot be used, or None; `named` skips those on wording."""
    checks = (_not_ct, _wrong_kind, _dynamic, _contrast, _virtual, _geometry)
    for check in checks:
        verdict = check(stack)
        if verdict is not None and not (named and verdict.by_wording):
            return verdict
    return None


def demerits(stack: Stack) -> list[Demerit | None]:
    """What speaks against a usable stack, gravest first; None where nothing does."""
    geometry, head = stack.geometry, stack.head
    if geometry is None:
        raise ValueError("only usable stacks are ranked")
    low, high = HEAD_COVERAGE_MM
    thin, thick = PREFERRED_INCREMENT_MM
    covers, increment = coverage_mm(stack), increment_mm(stack)
    said, where = wording_of(head)
    doubtful = said in (Wording.CONTRAST, Wording.BOTH)
    body, kernel, text = head.body_part, head.kernel, head.description
    reformatted = words.is_reformatted(head.image_type, text)
    found = [
        # Holes are refused later, and thin or thick slices are no flaw in themselves.
        (bool(geometry.gaps()), Demerit("slices are missing", warned=False)),
        (words.is_elsewhere(body, text), Demerit("another part of the body")),
        (doubtful, Demerit(f"its {where} speaks of a scan {said.value}")),
        (energy_kev(text) is not None, Demerit("virtual monoenergetic, not the scan itself")),
        (
            not low <= covers <= high,
            Demerit(f"covers {covers:.0f} mm, expected {low:.0f} to {high:.0f}"),
        ),
        (words.is_sharp(kernel, text), Demerit("a sharp (bone) kernel")),
        (reformatted, Demerit("reformatted")),
        (said is Wording.SILENT, Demerit("it does not say that it is plain", warned=False)),
        (
            not thin <= increment <= thick,
            Demerit(f"slices {increment:.2g} mm apart, not {thin:g} to {thick:g}", warned=False),
        ),
    ]
    return [demerit if holds else None for holds, demerit in found]


def wording_of(head: SliceHeader) -> tuple[Wording, str]:
    """What a series says of contrast, and where: its own description speaks before all others."""
    places = {
        "description": head.description,
        "protocol's name": head.protocol,
        "study's description": head.study_description,
    }
    for where, text in places.items():
        said = wording(text)
        if said is not Wording.SILENT:
            return said, where
    return Wording.SILENT, ""


def increment_mm(stack: Stack) -> float:
    """Mean step between slices."""
    if stack.geometry is None:
        raise ValueError("only usable stacks have an increment")
    return stack.geometry.extent_mm / (stack.geometry.n_slices - 1)


def coverage_mm(stack: Stack) -> float:
    """Height of the tissue that the slices stand for."""
    return increment_mm(stack) * (stack.geometry.n_slices if stack.geometry else 0)


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
    volume = head.contrast_volume
    if agent_given(head.contrast) and volume != 0:
        return Verdict("contrast", f"contrast agent '{head.contrast}'", by_wording=True)
    if volume is not None and volume > 0 and not head.contrast:
        return Verdict("contrast", f"{volume:g} mL of a contrast agent", by_wording=True)
    text = head.description or head.protocol
    if wording(text) is Wording.CONTRAST and not is_virtual(text):
        return Verdict("contrast", f"contrast or angiography by its name '{text}'", by_wording=True)
    return None


def _virtual(stack: Stack) -> Verdict | None:
    texts = (stack.head.description, *stack.head.image_type)
    if any(is_virtual(text) for text in texts):
        return Verdict(
            "contrast", "a virtual scan, computed from one with contrast", by_wording=True
        )
    energies = [kev for text in texts if (kev := energy_kev(text)) is not None]
    low, high = LIKE_PLAIN_KEV
    if any(not math.isnan(kev) and not low <= kev <= high for kev in energies):
        return Verdict(
            "projection",
            f"virtual monoenergetic at {energies[0]:g} keV, whose HU are not a plain scan's",
            by_wording=True,
        )
    return None


def _geometry(stack: Stack) -> Verdict | None:
    geometry = stack.geometry
    if geometry is None:
        return Verdict("geometry", "; ".join(stack.flaws))
    angle = geometry.axial_angle_deg
    if angle > MAX_AXIAL_ANGLE_DEG:
        return Verdict(
            "orientation", f"not axial: {angle:.0f} degrees from the patient's long axis"
        )
    if geometry.n_slices == 1 and len(stack.headers) > 1:
        return Verdict("position", f"all {len(stack.headers)} slices at one position")
    if geometry.n_slices < MIN_SLICES:
        return Verdict("slices", f"{geometry.n_slices} slices, fewer than {MIN_SLICES}")
    if stack.mixed:
        return Verdict("mixed", "several passes lie between each other, which nothing tells apart")
    return None
