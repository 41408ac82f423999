"""What is known of a DICOM case from its headers, kept with it so that nothing is judged twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.headers import ScannedFiles
from strokediff.ct.dicom.read import common_folder, judge
from strokediff.ct.dicom.series import ChosenSeries
from strokediff.ct.dicom.stacks import Stack
from strokediff.ct.discovery.formats import NOT_DICOM
from strokediff.ct.discovery.tree import Tree
from strokediff.errors import InputError

Stamp = tuple[int, int] | None


@dataclass(frozen=True)
class Judged:
    """The series to read, or why none can be; `asked` is the one that the user named.

    `misnamed` are files of the case that are no DICOM, whatever their names say. `stamps` tell
    whether its files (or the archive) are still those that were judged.
    """

    series: ChosenSeries | InputError
    asked: str | None
    misnamed: tuple[str, ...]
    stamps: tuple[Stamp, ...]

    def moved(self, place: Path, other: Path) -> Judged:
        """The same where what lay in the folder `place` lies in `other`."""
        if isinstance(self.series, InputError):
            problem = InputError(str(self.series).replace(str(place), str(other)))
            return replace(self, series=problem)

        def move(path: Path) -> Path:
            return other / path.relative_to(place)

        return replace(self, series=self.series.moved(move(self.series.path), move))


def judged(
    files: Sequence[Path],
    slices: Iterable[SliceHeader],
    tree: Tree,
    asked: str | None,
    stacks: list[Stack] | None = None,
) -> Judged:
    """Judge the `files` of one case by their `slices`; `stacks` are these, where they are known."""
    lost = {path: tree.dicom.damaged[path] for path in files if path in tree.dicom.damaged}
    misnamed = tuple(path.name for path, why in lost.items() if why == NOT_DICOM)
    damaged = {path: why for path, why in lost.items() if why != NOT_DICOM}
    found = ScannedFiles(list(slices), damaged, tree.dicom.directories, len(files))
    series: ChosenSeries | InputError
    try:
        series = judge(common_folder(files), found, asked, stacks)
    except InputError as problem:
        series = problem
    return Judged(series, asked, misnamed, stamps_of(files))


def stamps_of(files: Iterable[Path]) -> tuple[Stamp, ...]:
    """Size and time of the last change of each file; None for one that is not there."""
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
