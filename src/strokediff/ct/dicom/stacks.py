"""Split the slices of DICOM series into stacks: one orientation, one size, one pass each."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import StackGeometry
from strokediff.ct.dicom.passes import SMALLEST_PASS, Part, passes_of

ORIENTATION_TOLERANCE = 0.01
SPACING_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Stack:
    """Slices of one series that can form one volume.

    `geometry` is None where position, orientation or pixel spacing is absent. `part` says which
    part of its series this is, empty for a whole series; `n_passes` into how many passes over
    the same positions the series was split, by `told_by`. `note` is what a user must know of how
    it was put together; `mixed` that it holds several passes which nothing tells apart.
    """

    headers: tuple[SliceHeader, ...]
    geometry: StackGeometry | None
    part: str = ""
    n_passes: int = 1
    told_by: str = ""
    note: str = ""
    mixed: bool = False

    @property
    def head(self) -> SliceHeader:
        """The first slice's header, which speaks for the stack."""
        return self.headers[0]

    @property
    def flaws(self) -> list[str]:
        """What is wrong with the slices' geometry, and in how many: the commonest first."""
        counts = Counter(flaw for header in self.headers for flaw in header.flaws)
        return [f"{flaw} in {n} of {len(self.headers)} slices" for flaw, n in counts.most_common(4)]


def split_series(headers: list[SliceHeader]) -> list[Stack]:
    """Stacks of every series in `headers`, in the order of series number and UID.

    A series is split by orientation, matrix and pixel size, then into the passes over the head
    that it holds (`passes`), which come in the order of time.
    """
    series: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        series[header.series_uid].append(header)
    ordered = sorted(series.values(), key=lambda s: (s[0].series_number, s[0].series_uid))
    return [stack for one in ordered for stack in _split_one(one)]


def _split_one(headers: list[SliceHeader]) -> list[Stack]:
    placed = [h for h in headers if _has_geometry(h)]
    bare = [h for h in headers if not _has_geometry(h)]
    grids: list[list[SliceHeader]] = []
    for header in placed:
        for grid in grids:
            if _same_grid(grid[0], header):
                grid.append(header)
                break
        else:
            grids.append([header])
    stacks: list[Stack] = []
    n_parts = len(grids) + bool(bare)
    for grid in grids:
        where = f"{len(grid)} slices of one orientation and size" if n_parts > 1 else ""
        stacks.extend(_split_passes(grid, where))
    if bare:
        stacks.append(Stack(tuple(bare), None, "slices without geometry" if n_parts > 1 else ""))
    return stacks


def _split_passes(headers: list[SliceHeader], where: str) -> list[Stack]:
    parts = passes_of(headers)
    n_passes = max(1, sum(len(part.headers) >= SMALLEST_PASS for part in parts))
    return [_stack(part, where, n_passes) for part in parts]


def _stack(part: Part, where: str, n_passes: int) -> Stack:
    return Stack(
        part.headers,
        part.geometry,
        f"{where} {part.label}".strip(),
        n_passes,
        part.told_by,
        part.note,
        part.mixed,
    )


def _has_geometry(header: SliceHeader) -> bool:
    return not header.flaws


def _same_grid(a: SliceHeader, b: SliceHeader) -> bool:
    if a.orientation is None or b.orientation is None or a.spacing is None or b.spacing is None:
        return False
    return bool(
        (a.rows, a.columns) == (b.rows, b.columns)
        and np.abs(a.orientation - b.orientation).max() < ORIENTATION_TOLERANCE
        and np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE)
    )
