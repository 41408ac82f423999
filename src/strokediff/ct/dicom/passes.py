"""Tell passes over one head apart, when a series holds several, from what a scanner records.

A series may hold the head scanned twice: after contrast, after movement, with two kernels, at two
times. Merged, such passes give a head with every structure doubled. An attribute splits a stack
when its values divide the slices into parts that are each a stack of their own and lie over each
other. One head whose attributes change along it (slabs, zones of other thickness, a dose that is
modulated, an acquisition a rotation) has parts beside each other, and stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from strokediff.ct.dicom.divisions import ORDERS, divisions
from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import StackGeometry, along, in_time
from strokediff.ct.dicom.lattice import cycle_of, is_jumbled, sublattices

SMALLEST_PASS = 5
_OVERLAP = 0.5
"""Parts are passes over the same tissue if they share more than this part of the shorter one."""
_WHOLE = 0.9
"""A pass that covers less than this part of all positions is completed by the others."""
WIDEST_STEP_MM = 10.5
MAX_ROTATION_SLICES = 16
_MAX_DEPTH = 3


@dataclass(frozen=True)
class Part:
    """Slices of one pass. `told_by` is what tells it from the others, empty for the only pass.

    `note` is what the user must know of it; `mixed` that several passes lie in it which nothing
    tells apart.
    """

    headers: tuple[SliceHeader, ...]
    label: str = ""
    told_by: str = ""
    note: str = ""
    mixed: bool = False

    @property
    def geometry(self) -> StackGeometry:
        """Where its slices lie."""
        return StackGeometry.of(list(self.headers))


def passes_of(headers: list[SliceHeader]) -> list[Part]:
    """The passes in slices of one grid, in the order of time; one `Part` if there is only one."""
    parts = _split(headers, _MAX_DEPTH) or [_whole(headers)]
    parts = _joined(parts)
    return sorted(parts, key=lambda part: min(in_time(h) for h in part.headers))


def _whole(headers: list[SliceHeader]) -> Part:
    geometry = StackGeometry.of(headers)
    return Part(tuple(headers), mixed=_alternates(headers, geometry))


def _split(headers: list[SliceHeader], depth: int) -> list[Part] | None:
    """Parts that are stacks of their own; None where the slices are best left together."""
    if depth == 0 or len(headers) < 2:
        return None
    geometry = StackGeometry.of(headers)
    clean = is_clean(headers, geometry)
    for told_by, classes in divisions(headers, weak=not clean):
        parts = _accepted(classes, told_by, depth, strict=True)
        if parts and _some_overlap(parts) and (told_by not in ORDERS or _are_dense(parts)):
            return parts
    if clean and not geometry.gaps():
        return None
    for told_by, classes in divisions(headers, weak=False):
        parts = _accepted(classes, told_by, depth, strict=False)
        if parts and (not clean or _some_overlap(parts)):
            return _completed(parts)
    return None if clean else _by_lattice(headers, geometry)


def _accepted(
    classes: dict[str, list[SliceHeader]], told_by: str, depth: int, *, strict: bool
) -> list[Part] | None:
    """The classes as parts, if each is a stack of its own or splits further into such.

    `strict` asks for at least two stacks and no hole or remainder; else one is enough, and the
    few slices beside it are remainders.
    """
    large = {n: c for n, c in classes.items() if len(c) >= SMALLEST_PASS}
    if len(classes) < 2 or not large or (strict and len(large) < len(classes)):
        return None
    if sum(map(len, large.values())) * 2 < sum(map(len, classes.values())):
        return None
    parts: list[Part] = []
    for name, held in classes.items():
        geometry = StackGeometry.of(held)
        if name not in large or is_clean(held, geometry):
            if strict and (geometry.gaps() or geometry.n_slices < SMALLEST_PASS):
                return None
            parts.append(Part(tuple(held), name, told_by))
            continue
        deeper = _split(held, depth - 1)
        if deeper is None:
            return None
        parts += [Part(p.headers, f"{name}, {p.label}", told_by, p.note) for p in deeper]
    return parts


def is_clean(headers: list[SliceHeader], geometry: StackGeometry) -> bool:
    """Whether slices look like one pass: one a position, in no repeating pattern of steps."""
    return not repeated(geometry) and not _alternates(headers, geometry)


def repeated(geometry: StackGeometry) -> list[tuple[SliceHeader, ...]]:
    """Positions with several different slices; copies of one file are one slice."""
    return [
        group
        for group in geometry.groups
        if len({(h.sop_uid or str(h.path), h.frame, h.instance_number) for h in group}) > 1
    ]


def _alternates(headers: list[SliceHeader], geometry: StackGeometry) -> bool:
    """Whether steps repeat in a cycle (2, 3, 2, 3 mm) or differ one and all, as no rotations do."""
    steps = geometry.increments_mm
    mixed = len(steps) > 0 and (cycle_of(steps) is not None or is_jumbled(steps))
    return mixed and not _in_rotations(geometry)


def _in_rotations(geometry: StackGeometry) -> bool:
    """Whether each rotation gave a few neighbouring slices, so that their steps may alternate."""
    first = [group[0] for group in geometry.groups]
    keys: list[Callable[[SliceHeader], Hashable]] = [
        lambda h: h.recorded.acquisition,
        lambda h: h.recorded.irradiation,
        lambda h: h.recorded.acquired_s,
        lambda h: h.recorded.content_s,
    ]
    for key in keys:
        values = [key(h) for h in first]
        blocks = 1 + sum(a != b for a, b in pairwise(values))
        if blocks == len(set(values)) >= 3 and len(values) / blocks <= MAX_ROTATION_SLICES:
            return blocks < len(values)
    return False


def _some_overlap(parts: list[Part]) -> bool:
    return shared_part([part.geometry for part in parts])


def _are_dense(parts: list[Part]) -> bool:
    """Whether slices lie as close as those of a pass, not every so many of one in a jumble."""
    return all(np.median(part.geometry.increments_mm) <= WIDEST_STEP_MM for part in parts)


def shared_part(stacks: list[StackGeometry]) -> bool:
    """Whether two stacks lie over the same tissue, and not beside each other."""
    ranges = [(s.along[0], s.along[-1]) for s in stacks]
    return any(_overlap(a, b) > _OVERLAP for i, a in enumerate(ranges) for b in ranges[i + 1 :])


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Shared length as a part of the shorter range."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared / max(min(a[1] - a[0], b[1] - b[0]), 1e-6)


def _by_lattice(headers: list[SliceHeader], geometry: StackGeometry) -> list[Part] | None:
    """The last resort: every second (third ...) slice, where each such set has even steps."""
    if repeated(geometry) or not _alternates(headers, geometry):
        return None
    sets = sublattices(geometry.along, SMALLEST_PASS)
    return [
        Part(
            tuple(h for k in chosen for h in geometry.groups[k]),
            f"slices at every {geometry.along[chosen[1]] - geometry.along[chosen[0]]:.3g} mm "
            f"from {geometry.along[chosen[0]]:.1f} mm",
            "position",
        )
        for chosen in sets
    ] or None


def _completed(parts: list[Part]) -> list[Part]:
    """Holes of a pass that slices scanned again fill, where these are too few for a pass."""
    few = [h for p in parts if len(p.headers) < SMALLEST_PASS for h in p.headers]
    done = []
    for first in parts:
        part, geometry = first, first.geometry
        if len(part.headers) >= SMALLEST_PASS and geometry.gaps() and few:
            near = float(np.median(geometry.increments_mm)) / 2
            away = [
                h for h in few if np.abs(geometry.along - along(h, geometry.normal)).min() > near
            ]
            whole = (*part.headers, *away)
            filled = StackGeometry.of(list(whole))
            if not filled.gaps() and is_clean(list(whole), filled):
                note = f"{len(away)} slices that it lacks are from what was scanned again"
                part = replace(part, headers=whole, note=note)
        done.append(part)
    return done


def _joined(parts: list[Part]) -> list[Part]:
    """Where no pass covers the head but slabs that overlap a little do, one pass of them all."""
    spans = [(p.geometry.along[0], p.geometry.along[-1]) for p in parts]
    covered = max(high for _, high in spans) - min(low for low, _ in spans)
    if len(parts) < 2 or max(high - low for low, high in spans) >= _WHOLE * covered:
        return parts
    ordered = sorted(parts, key=lambda p: (p.geometry.along[0], -p.geometry.along[-1]))
    normal = ordered[0].geometry.normal
    kept: list[SliceHeader] = []
    top, names = -np.inf, list[str]()
    for part in ordered:
        step = float(np.median(part.geometry.increments_mm)) if len(part.headers) > 1 else 0.0
        new = [h for h in part.headers if along(h, normal) > top + step / 2]
        if new:
            kept += new
            names.append(part.label)
            top = max(top, part.geometry.along[-1])
    geometry = StackGeometry.of(kept)
    if geometry.gaps() or not is_clean(kept, geometry):
        return parts
    left = sum(len(p.headers) for p in parts) - len(kept)
    note = (
        f"no pass covers the whole head: {' and '.join(names)} are joined, and {left} slices that "
        f"lie where they overlap are left out"
    )
    return [Part(tuple(kept), note=note)]
