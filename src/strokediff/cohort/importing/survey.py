"""Looks at a data set as a whole, images and masks, one scan at a time, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from strokediff.cohort.importing.base import Layout, ListedScan, SizeError
from strokediff.cohort.importing.check import Finding, Severity, check_listing, error, warning
from strokediff.cohort.importing.classes import LesionClasses
from strokediff.cohort.importing.duplicates import check_copies
from strokediff.cohort.importing.facts import CaseFacts
from strokediff.cohort.importing.names import composed
from strokediff.cohort.importing.values import about_values
from strokediff.cohort.likeness import digest, likeness_of
from strokediff.ct.checks.sanity import MIN_SLICES
from strokediff.errors import InputError, UsageError

ScanProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Survey:
    """A data set, the lesion chosen in it, and all that was found.

    `left_out` are cases that cannot be used and why, where the user allows them to be missing.
    """

    layout: Layout
    lesion: LesionClasses
    facts: tuple[CaseFacts, ...]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def spacing_known(self) -> bool:
        """Whether every case's spacing is."""
        return all(fact.spacing_known for fact in self.facts)

    @property
    def spacing(self) -> str:
        """ "known", "unknown", or "assumed" where `Layout.spacing_note` says what is."""
        if not self.spacing_known:
            return "unknown"
        return "assumed" if self.layout.spacing_note else "known"

    @property
    def partial_heads(self) -> bool:
        """Whether some cases are too few slices to be a head."""
        return any(fact.slices < MIN_SLICES for fact in self.facts)

    @property
    def errors(self) -> list[Finding]:
        """What stops the import."""
        return [f for f in self.findings if f.severity is Severity.ERROR]

    def require_sound(self) -> None:
        """Raise `InputError` with every error if there is one."""
        if self.errors:
            lines = "\n".join(f"- {finding}" for finding in self.errors)
            raise InputError(
                f"{self.layout.source}: not imported; expected {self.layout.expected}, sound "
                f"throughout, but found:\n{lines}"
            )


def survey(
    layout: Layout,
    *,
    labels: tuple[str, ...] | None = None,
    kinds: Mapping[str, Sequence[str]] | None = None,
    test_list: Path | None = None,
    skip_damaged: bool = False,
    progress: ScanProgress = lambda done, total, name: None,
) -> Survey:
    """List, read every image and mask, and check; raises only if there is nothing to look at.

    Cases whose files cannot be used are errors; with `skip_damaged` they are left out and named,
    unless none is sound.
    """
    lesion = LesionClasses.chosen(layout, labels, kinds)
    listing = layout.list_cases()
    if not listing.cases:
        raise InputError(
            f"{layout.source}: no images found. Expected {layout.expected}. Check that the "
            "download is complete."
        )
    if test_list is not None:
        listing = replace(listing, cases=_with_test_list(listing.cases, test_list))
    findings = check_listing(listing, layout)
    facts, unsuitable = _read(layout, lesion, listing.cases, progress)
    skipped = unsuitable if skip_damaged and facts else {}
    left_out = {name: _line(problem) for name, problem in skipped.items()}
    findings += warning("left out, as they cannot be used", left_out.values(), "")
    findings += [] if skipped else _unsuitable(list(unsuitable.values()))
    findings += about_values(layout, lesion, facts)
    findings += warning(
        f"fewer than {MIN_SLICES} slices",
        [fact.case.name for fact in facts if fact.slices < MIN_SLICES],
        "`prepare` takes them, `segment` wants whole heads.",
    )
    findings += check_copies([(f.case, f.likeness, f.mask_digest) for f in facts])
    findings.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    return Survey(layout, lesion, tuple(facts), tuple(findings), left_out)


def _read(
    layout: Layout, lesion: LesionClasses, cases: tuple[ListedScan, ...], progress: ScanProgress
) -> tuple[list[CaseFacts], dict[str, InputError]]:
    """What every case shows, one in memory at a time, and why some cannot be used."""
    facts: list[CaseFacts] = []
    unsuitable: dict[str, InputError] = {}
    for done, case in enumerate(cases):
        progress(done, len(cases), case.name)
        if not layout.unmasked_is_empty and any(pair.mask is None for pair in case.pairs):
            continue
        try:
            facts.append(_facts(layout, lesion, case))
        except InputError as problem:
            unsuitable[case.name] = problem
    progress(len(cases), len(cases), "")
    return facts, unsuitable


def _facts(layout: Layout, lesion: LesionClasses, case: ListedScan) -> CaseFacts:
    classes = layout.classes(case)
    mask = lesion.mask(classes.values)
    voxels = int(np.count_nonzero(mask))
    per_kind = tuple(int(lesion.has(k, mask).sum()) for k in range(len(lesion.kinds)))
    ml = voxels * abs(float(np.linalg.det(classes.affine[:3, :3]))) / 1000
    values, where = frozenset(np.unique(classes.values).tolist()), digest(mask)
    known = classes.spacing_known
    del classes
    image = layout.image(case)
    return CaseFacts(
        case=case,
        slices=mask.shape[2],
        lesion_slices=int(mask.any(axis=(0, 1)).sum()),
        lesion_voxels=voxels,
        lesion_ml=ml if known else None,
        values=values,
        likeness=likeness_of(image),
        mask_digest=where,
        kind_voxels=per_kind,
        warnings=image.warnings,
    )


def _unsuitable(problems: list[InputError]) -> list[Finding]:
    sizes = [_line(p) for p in problems if isinstance(p, SizeError)]
    others = [_line(p) for p in problems if not isinstance(p, SizeError)]
    return [
        *error("sizes or grids differ", sizes, ""),
        *error("files that cannot be used", others, ""),
    ]


def _line(problem: InputError) -> str:
    """What a library says in several lines, in one."""
    return " ".join(str(problem).split())


def _with_test_list(cases: tuple[ListedScan, ...], path: Path) -> tuple[ListedScan, ...]:
    """The split that a user's list of test patients makes: all others train."""
    if any(case.split for case in cases):
        raise UsageError(
            f"--test-list {path}: the data set declares its own split. Leave the list out."
        )
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(
            f"{path}: expected a text file of test patients, one a line ({problem})."
        ) from problem
    tested = {composed(line.strip()) for line in lines if line.strip() and line[0] != "#"}
    unknown = sorted(tested - {n for case in cases for n in (case.patient, case.name)})
    if unknown or not tested:
        raise InputError(
            f"{path}: expected patients of the data set, one a line, such as {cases[0].patient}; "
            f"got {', '.join(map(repr, unknown[:5])) or 'none'}, which it lacks. Correct the list."
        )
    return tuple(
        replace(case, split="test" if tested & {case.patient, case.name} else "train")
        for case in cases
    )
