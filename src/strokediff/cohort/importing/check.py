"""What is wrong, or worth knowing, about a data set before anything is made of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

from strokediff.cohort.importing.base import Layout, ListedScan, Listing
from strokediff.util.names import same_name, shown_below

_SHOWN = 5


class Severity(Enum):
    """An error stops the import, a warning is kept in cohort.json."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """What was found, where (files or patients), and what to do about it.

    Without a remedy each place is a message that says it all.
    """

    severity: Severity
    what: str
    where: tuple[str, ...]
    remedy: str

    @property
    def shown(self) -> str:
        """The first few places, and how many more there are."""
        more = f" and {len(self.where) - _SHOWN} more" if len(self.where) > _SHOWN else ""
        return ", ".join(self.where[:_SHOWN]) + more

    @property
    def messages(self) -> bool:
        """Whether its places are messages."""
        return bool(self.where) and not self.remedy

    def __str__(self) -> str:
        if self.messages:
            more = [f"... and {len(self.where) - _SHOWN} more"] if len(self.where) > _SHOWN else []
            return "\n  ".join([f"{self.what}:", *self.where[:_SHOWN], *more])
        return f"{self.what}: {self.shown}. {self.remedy}"


def error(what: str, where: Iterable[str], remedy: str) -> list[Finding]:
    """An error if there is any place, else nothing."""
    return _finding(Severity.ERROR, what, where, remedy)


def warning(what: str, where: Iterable[str], remedy: str) -> list[Finding]:
    """A warning if there is any place, else nothing."""
    return _finding(Severity.WARNING, what, where, remedy)


def check_listing(listing: Listing, layout: Layout) -> list[Finding]:
    """What the names of files tell."""

    def shown(path: Path) -> str:
        return shown_below(layout.source, path)

    cases = listing.cases
    lacking = [p for case in cases for p in case.pairs if p.mask is None]
    unmasked = [] if layout.unmasked_is_empty else [shown(p.image) for p in lacking]
    times = Counter(same_name(case.name) for case in cases)
    doubled = sorted({case.name for case in cases if times[same_name(case.name)] > 1})
    return [
        *error("images without a mask", unmasked, "Add the masks or take the images out."),
        *error(
            "masks without an image",
            [shown(path) for path in listing.stray_masks],
            "Add the images or take the masks out.",
        ),
        *error(
            "folders without images",
            [shown(path) for path in listing.empty],
            f"Expected images of {layout.expected}; add them or take the folders out.",
        ),
        *error("the same name twice", doubled, "Rename one of them or take it out."),
        *error(
            "patients in two splits",
            sorted(_in_two_splits(cases)),
            "Keep each patient in one split.",
        ),
        *error(
            "several slices of one number",
            _named(cases, _repeated),
            "Keep one of each, or number them anew.",
        ),
        *warning(
            "gaps in the numbers of slices",
            _named(cases, _missing),
            "If slices are missing, add them: those on both sides count as neighbours.",
        ),
        *warning(
            "files that are not read",
            [shown(path) for path in listing.unread],
            f"Expected {layout.expected}; convert them if they are slices.",
        ),
        *[Finding(Severity.WARNING, note, (), "") for note in listing.notes],
    ]


def _finding(severity: Severity, what: str, where: Iterable[str], remedy: str) -> list[Finding]:
    places = tuple(where)
    return [Finding(severity, what, places, remedy)] if places else []


def _in_two_splits(cases: Iterable[ListedScan]) -> list[str]:
    splits: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if case.split:
            splits[case.patient].add(case.split)
    return [f"{p} ({' and '.join(sorted(s))})" for p, s in splits.items() if len(s) > 1]


def _named(cases: Iterable[ListedScan], of: Callable[[tuple[int, ...]], list[int]]) -> list[str]:
    """Cases whose slice numbers have `of`, with the first few of them."""
    found = {case.name: of(case.numbers) for case in cases}
    return [
        f"{name} ({', '.join(map(str, n[:_SHOWN]))}{', ...' * (len(n) > _SHOWN)})"
        for name, n in found.items()
        if n
    ]


def _repeated(numbers: tuple[int, ...]) -> list[int]:
    return sorted(number for number, times in Counter(numbers).items() if times > 1)


def _missing(numbers: tuple[int, ...]) -> list[int]:
    """Numbers between the first and the last that no slice has; of a long gap the first few."""
    ordered = sorted(set(numbers))
    gaps = [range(a + 1, min(b, a + 2 + _SHOWN)) for a, b in pairwise(ordered)]
    return [number for gap in gaps for number in gap]
