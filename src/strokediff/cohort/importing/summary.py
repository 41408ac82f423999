"""What a surveyed data set holds, in words."""

from __future__ import annotations

from statistics import median

from strokediff.cohort.importing.survey import Survey
from strokediff.cohort.record import SPLITS


def summary(found: Survey) -> dict[str, str]:
    """Title, licence, lesion, scans, slices, sizes of lesions, spacing and split, one line each."""
    layout, facts = found.layout, found.facts
    lesion_slices = sum(fact.lesion_slices for fact in facts)
    return {
        "data set": layout.title,
        "licence": layout.licence_note,
        "lesion": ", ".join(map(str, found.lesion.kinds)),
        **({"kinds": _kinds(found)} if len(found.lesion.kinds) > 1 else {}),
        "scans": _scans(found),
        "slices": f"{sum(f.slices for f in facts)}, {lesion_slices} with lesion",
        "with lesion": f"{sum(f.lesion_voxels > 0 for f in facts)} scans; {_sizes(found)}",
        "spacing": _spacing(found),
        "split": _split(found),
    }


def _scans(found: Survey) -> str:
    if found.layout.single_slices:
        return f"{len(found.facts)} single slices of unknown patients"
    patients = {fact.case.patient for fact in found.facts}
    return f"{len(found.facts)} of {len(patients)} patients"


def _kinds(found: Survey) -> str:
    """How many scans show each."""
    told = []
    for k, kind in enumerate(found.lesion.kinds):
        shown = sum(fact.kind_voxels[k] > 0 for fact in found.facts)
        told.append(f"{kind.name} in {shown} scan{'s' * (shown != 1)}")
    return ", ".join(told)


def _sizes(found: Survey) -> str:
    """Median and range of the lesions that are there."""
    facts = [fact for fact in found.facts if fact.lesion_voxels]
    if not facts:
        return "none"
    if all(fact.lesion_ml is not None for fact in facts):
        sizes, unit = [float(fact.lesion_ml or 0) for fact in facts], "mL"
        text = f"{median(sizes):.1f} ({min(sizes):.1f} to {max(sizes):.1f})"
    else:
        sizes, unit = [float(fact.lesion_voxels) for fact in facts], "pixels"
        text = f"{median(sizes):.0f} ({min(sizes):.0f} to {max(sizes):.0f})"
    return f"size, median and range: {text} {unit}"


def _spacing(found: Survey) -> str:
    told = {"unknown": "sizes are in pixels", "assumed": found.layout.spacing_note}
    return ": ".join(filter(None, (found.spacing, told.get(found.spacing))))


def _split(found: Survey) -> str:
    splits = [fact.case.split for fact in found.facts if fact.case.split]
    if not splits:
        return "none declared; `prepare` will split by patient"
    counts = ", ".join(f"{splits.count(s)} {s}" for s in SPLITS)
    return f"{counts} (declared)"
