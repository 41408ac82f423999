"""What was found in the input: the cases to segment, and what yields none, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from strokediff.ct.discovery.judging import Judged
from strokediff.util.names import same_name

_SHOWN = 5


@dataclass(frozen=True)
class Case:
    """One head CT to segment.

    `name` is unique among the cases and the patients left out, and safe as a file or folder name.
    `kind` is "nifti" or "dicom"; `path` the NIfTI file or the DICOM folder, `files` the case's own
    DICOM files. With `archive` both lie in that zip or tar: `path` and `files` are then the
    archive's path followed by the member's.
    `shown_path` is the path below the input that the user gave (or the input's own last part), for
    results and pages: folders above it are nobody's business. `original` is what the case is
    called on disk, below the input and without the ending; bytes that are not UTF-8 are escaped
    in both. `judged` is what discovery found out about a DICOM case, for `load_case` to go on from.
    """

    name: str
    kind: str
    path: Path
    files: tuple[Path, ...] = ()
    archive: Path | None = None
    shown_path: str = ""
    original: str = ""
    judged: Judged | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class LeftOut:
    """What yields no case: `is_patient` ones are failed patients, with a row in summary.csv.

    Others are told in a note: a study without head CT beside one of the same patient with it.
    """

    name: str
    path: Path
    reason: str
    is_patient: bool


@dataclass(frozen=True)
class Discovery:
    """All that lies in an input: cases, what was left out, and how many other files there are.

    `ignored` counts files that are no images: tables, texts, programs, sidecars.
    """

    cases: list[Case]
    left_out: list[LeftOut]
    ignored: int = 0

    @property
    def failed(self) -> list[LeftOut]:
        """The patients that cannot be read: each has a row in summary.csv and counts as failed."""
        return [left for left in self.left_out if left.is_patient]

    @property
    def n_patients(self) -> int:
        """Cases and failed patients: with more than one, results go to a folder each."""
        return len(self.cases) + len(self.failed)

    @property
    def notes(self) -> list[str]:
        """What to tell of that which is no patient: one line each, at most `_SHOWN` and a count."""
        told = [left for left in self.left_out if not left.is_patient]
        lines = [f"{left.name}: {left.reason}; left out" for left in told[:_SHOWN]]
        if len(told) > _SHOWN:
            lines.append(f"{len(told) - _SHOWN} more were left out")
        if self.ignored:
            lines.append(f"{self.ignored} other files (no images) were left out")
        return lines


_Named = TypeVar("_Named", Case, LeftOut)


def numbered(items: Iterable[_Named], taken: set[str]) -> list[_Named]:
    """Append _2, _3 ... to names that are taken; letter case does not tell names apart.

    `taken` holds `same_name` of all names so far and grows.
    """
    out = []
    for item in items:
        name, number = item.name, 1
        while same_name(name) in taken:
            number += 1
            name = f"{item.name}_{number}"
        taken.add(same_name(name))
        out.append(replace(item, name=name))
    return out
