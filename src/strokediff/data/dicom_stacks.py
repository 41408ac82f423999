"""Split the slices of DICOM series into stacks: one orientation, one size, one pass each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from strokediff.data.dicom_geometry import StackGeometry
from strokediff.data.dicom_headers import SliceHeader

ORIENTATION_TOLERANCE = 0.01
SPACING_TOLERANCE = 1e-3
SMALLEST_PASS = 5


@dataclass(frozen=True)
class Stack:
    """Slices of one series that can form one volume.

    `geometry` is None where position, orientation or pixel spacing is absent. `part` says which
    part of its series this is, empty for a whole series; `n_passes` into how many passes over
    the same positions the series was split.
    """

    headers: tuple[SliceHeader, ...]
    geometry: StackGeometry | None
    part: str = ""
    n_passes: int = 1

    @property
    def head(self) -> SliceHeader:
        """The first slice's header, which speaks for the stack."""
        return self.headers[0]


def split_series(headers: list[SliceHeader]) -> list[Stack]:
    """Stacks of every series in `headers`, in the order of series number and UID.

    A series is split by orientation, matrix and pixel size; then, where slices share a position,
    by what tells repeated passes apart: acquisition number, kernel or image type.
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
    geometry = StackGeometry.of(headers)
    if geometry.n_slices == len(headers):
        return [Stack(tuple(headers), geometry, where)]
    keys: dict[str, Callable[[SliceHeader], Hashable]] = {
        "acquisition": lambda h: h.acquisition_number,
        "kernel": lambda h: h.kernel,
        "image type": lambda h: h.image_type,
    }
    for name, key in keys.items():
        passes: dict[Hashable, list[SliceHeader]] = defaultdict(list)
        for header in headers:
            passes[key(header)].append(header)
        shapes = [StackGeometry.of(one) for one in passes.values()]
        whole = all(g.n_slices >= SMALLEST_PASS for g in shapes)
        apart = sum(g.n_slices for g in shapes) == len(headers)
        if len(passes) > 1 and whole and apart:
            return [
                Stack(tuple(one), g, f"{where} {name} {value}".strip(), len(passes))
                for (value, one), g in zip(passes.items(), shapes, strict=True)
            ]
    return [Stack(tuple(headers), geometry, where)]


def _has_geometry(header: SliceHeader) -> bool:
    if header.orientation is None or header.position is None or header.spacing is None:
        return False
    lengths = np.linalg.norm(header.orientation, axis=1)
    crossed = abs(float(header.orientation[0] @ header.orientation[1]))
    return bool(np.abs(lengths - 1).max() < 0.01 and crossed < 0.01 and min(header.spacing) > 0)


def _same_grid(a: SliceHeader, b: SliceHeader) -> bool:
    if a.orientation is None or b.orientation is None or a.spacing is None or b.spacing is None:
        return False
    return bool(
        (a.rows, a.columns) == (b.rows, b.columns)
        and np.abs(a.orientation - b.orientation).max() < ORIENTATION_TOLERANCE
        and np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE)
    )
