"""Writes a surveyed data set as a folder for `strokediff prepare`.

DST/images/NAME.nii.gz    HU
DST/labels/NAME.nii.gz    0 and 1, or of several kinds of lesion their number, on the image's grid
DST/cohort.json           layout, licence, spacing, labels, declared split, what was found
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.classes import LesionClasses
from strokediff.cohort.importing.facts import CaseFacts
from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import ScanProgress, Survey, survey
from strokediff.cohort.record import SPLITS
from strokediff.errors import InputError, UsageError, raise_all
from strokediff.util.files import atomic_directory


def import_dataset(
    layout: str,
    source: str | Path,
    out: str | Path,
    *,
    labels: Sequence[str] | None = None,
    kinds: Mapping[str, Sequence[str]] | None = None,
    test_list: Path | None = None,
    pixel_mm: float | None = None,
    skip_damaged: bool = False,
    tell: Callable[[Survey], None] = lambda found: None,
    progress: ScanProgress = lambda done, total, name: None,
) -> Survey:
    """Check a public data set, then write it to the new folder `out` as scans and masks.

    `layout` names it ("phe-sich", "aisd", "cpaisd", "ctich", "nnunet", "bids"), `labels` are the
    classes that count as the lesion, joined as one, or `kinds` says which classes are which kind;
    without either each data set has its own kinds. `test_list` is a text file of test patients
    where the set declares none, `pixel_mm` a pixel's side where the files do not tell. `tell` is
    given what was found before anything is written. Raises `UsageError` for a wrong choice or an
    `out` that is there already, `InputError` with all that is wrong; with `skip_damaged` scans
    whose files cannot be used are left out and named in `Survey.left_out`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     import_dataset("aisd", folder, f"{folder}/out")
    Traceback (most recent call last):
    strokediff.errors.InputError: ...not the layout of aisd...
    """
    source, out = Path(source), Path(out)
    require_new(out)
    opened = open_layout(layout, source, pixel_mm=pixel_mm)
    chosen = None if labels is None else tuple(labels)
    LesionClasses.chosen(opened, chosen, kinds)  # a wrong choice is told before the reading starts
    found = survey(
        opened,
        labels=chosen,
        kinds=kinds,
        test_list=test_list,
        skip_damaged=skip_damaged,
        progress=progress,
    )
    tell(found)
    convert(found, out, progress=progress)
    return found


def require_new(out: Path) -> None:
    """Raise `UsageError` if anything is at `out` already: an import never overwrites."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UsageError(
            f"{out}: exists already. Expected a new folder; choose another name or remove it."
        )


def convert(
    surveyed: Survey, out: Path, *, progress: ScanProgress = lambda done, total, name: None
) -> None:
    """Write the cohort `out`; raises `InputError` with the survey's errors, or every bad image.

    Nothing is left at `out` on failure.
    """
    surveyed.require_sound()
    require_new(out)
    facts, layout = surveyed.facts, surveyed.layout
    problems: list[InputError] = []
    with atomic_directory(out) as folder:
        for part in ("images", "labels"):
            (folder / part).mkdir()
        for done, fact in enumerate(facts):
            name = fact.case.name
            progress(done, len(facts), name)
            try:
                layout.write_image(fact.case, folder / "images" / f"{name}.nii.gz")
                classes = layout.classes(fact.case)
            except InputError as problem:  # sound when it was surveyed
                problems.append(problem)
                continue
            mask = surveyed.lesion.mask(classes.values)
            write_mask(mask, classes.affine, folder / "labels" / f"{name}.nii.gz")
        progress(len(facts), len(facts), "")
        raise_all(problems)
        text = json.dumps(record(surveyed), indent=1)
        (folder / "cohort.json").write_text(text + "\n")


def write_mask(mask: NDArray[np.uint8], affine: NDArray[np.float64], path: Path) -> None:
    """A map of labels as NIfTI, uint8."""
    nib.save(nib.Nifti1Image(mask, affine), path)


def _by_kind(lesion: LesionClasses, fact: CaseFacts) -> dict[str, Any]:
    """Voxels of each kind where there are several."""
    if len(lesion.kinds) < 2:
        return {}
    names = (kind.name for kind in lesion.kinds)
    return {"kind_voxels": dict(zip(names, fact.kind_voxels, strict=True))}


def record(surveyed: Survey) -> dict[str, Any]:
    """What cohort.json says; `strokediff.cohort.sources` reads it."""
    layout, facts = surveyed.layout, surveyed.facts
    lesion, declared = surveyed.lesion, surveyed.lesion.labels()
    made: dict[str, Any] = {
        "description": f"{layout.title}; lesion: {lesion.shown}",
        "layout": layout.name,
        **({"data_set": layout.name} if layout.one_data_set else {}),
        "licence": layout.licence_note,
        "spacing": surveyed.spacing,
        **({"spacing_note": layout.spacing_note} if layout.spacing_note else {}),
        **({"labels": declared} if declared else {}),
        "classes": {kind.name: list(kind.classes) for kind in lesion.kinds},
        "partial_heads": surveyed.partial_heads,
    }
    if any(fact.case.split for fact in facts):
        made["declared_split"] = {
            split: [fact.case.name for fact in facts if fact.case.split == split]
            for split in SPLITS
        }
    made["patients"] = {
        fact.case.name: {
            "patient": fact.case.patient,
            "slices": fact.slices,
            "lesion_slices": fact.lesion_slices,
            "lesion_voxels": fact.lesion_voxels,
            **_by_kind(lesion, fact),
            "lesion_ml": fact.lesion_ml,
            "spacing_known": fact.spacing_known,
            "warnings": list(fact.warnings),
        }
        for fact in facts
    }
    if surveyed.left_out:
        made["left_out"] = dict(surveyed.left_out)
    made["findings"] = [
        {
            "severity": finding.severity.value,
            "what": finding.what,
            "where": list(finding.where),
            "remedy": finding.remedy,
        }
        for finding in surveyed.findings
    ]
    return made
