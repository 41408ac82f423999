"""What the values of a data set's masks tell: classes that are unknown, nowhere, or not chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strokediff.cohort.importing.base import Layout
from strokediff.cohort.importing.check import Finding, error, warning
from strokediff.cohort.importing.classes import LesionClasses
from strokediff.cohort.importing.facts import CaseFacts


def about_values(
    layout: Layout, lesion: LesionClasses, facts: Sequence[CaseFacts]
) -> list[Finding]:
    """Values that are not declared, and lesions, or kinds of them, that are nowhere."""
    known = layout.known_values
    unexpected = {
        fact.case.name: sorted(
            v for v in fact.values if (v < 0 if known is None else v not in known)
        )
        for fact in facts
    }
    empty = [fact.case.name for fact in facts if not fact.lesion_voxels]
    nowhere = bool(facts) and len(empty) == len(facts)
    return [
        *error(
            "unexpected label values", _listed(layout, unexpected), f"Expected {_expected(layout)}."
        ),
        *error(
            "no lesion anywhere",
            [f"classes {', '.join(lesion.names)}"] if nowhere else [],
            "Choose other classes with --labels.",
        ),
        *warning(
            "patients without a lesion", [] if nowhere else empty, "Kept; their masks are empty."
        ),
        *_about_choice(layout, lesion, facts),
        *warning(
            "kinds of lesion that no scan shows",
            [] if nowhere else _absent(lesion, facts),
            "Leave them out with --as if they should not be told apart.",
        ),
    ]


def _about_choice(
    layout: Layout, lesion: LesionClasses, facts: Sequence[CaseFacts]
) -> list[Finding]:
    """Where classes are not declared: which are joined unasked, and which do not count."""
    several = sorted(frozenset().union(*(fact.values for fact in facts)) - {0})
    counted = lesion.values
    passed = [] if counted is None else [value for value in several if value not in counted]
    return [
        *warning(
            "several classes count as lesion",
            map(str, several if counted is None and len(several) > 1 else []),
            "Choose with --labels, or tell them apart with --as, if that is not meant.",
        ),
        *warning(
            "values that count as no lesion",
            map(str, passed if layout.labels is None else []),
            "Name them with --labels or --as if they are one.",
        ),
    ]


def _absent(lesion: LesionClasses, facts: Sequence[CaseFacts]) -> list[str]:
    met = [any(fact.kind_voxels[k] for fact in facts) for k in range(len(lesion.kinds))]
    return [kind.name for kind, there in zip(lesion.kinds, met, strict=True) if facts and not there]


def _listed(layout: Layout, unexpected: Mapping[str, list[int]]) -> list[str]:
    return [
        f"{name} ({', '.join(layout.shown(v) for v in values[:4])}{', ...' * (len(values) > 4)})"
        for name, values in unexpected.items()
        if values
    ]


def _expected(layout: Layout) -> str:
    if layout.labels is None:
        return "whole numbers from 0"
    values = ", ".join(
        f"{'/'.join(layout.shown(v) for v in values)} {name}"
        for name, values in layout.labels.items()
    )
    return f"0 background, {values}"
