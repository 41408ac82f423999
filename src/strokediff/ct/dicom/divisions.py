"""Every way to divide the slices of a series that could tell one pass over the head from another.

By the value of an attribute, by where slices lie in their plane, or by an order (of time or
number) in which positions turn back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import StackGeometry, along

SAME_PLACE_MM = 0.5
KEEPS_STEP = 0.1
"""A step this close to the usual one, as a part of it, continues a stretch."""

Key = Callable[[SliceHeader], Hashable]


@dataclass(frozen=True)
class _Dimension:
    """One of a frame's DimensionIndexValues."""

    number: int

    def __call__(self, header: SliceHeader) -> Hashable:
        return header.recorded.dimensions[self.number : self.number + 1]


STRONG: dict[str, Key] = {
    "temporal position": lambda h: h.recorded.temporal,
    "stack": lambda h: h.recorded.stack,
    "acquisition": lambda h: h.recorded.acquisition,
    "acquisition UID": lambda h: h.recorded.acquisition_uid,
    "irradiation event": lambda h: h.recorded.irradiation,
    "kernel": lambda h: h.recorded.kernel,
    "filter": lambda h: h.recorded.filter,
    "image type": lambda h: h.recorded.image_type,
    "tube voltage": lambda h: h.recorded.tube_voltage,
    "description": lambda h: h.recorded.description,
    "reconstruction": lambda h: h.recorded.reconstruction,
    "reconstruction diameter": lambda h: h.recorded.diameter,
    "slice thickness": lambda h: h.recorded.thickness,
    "trigger time": lambda h: h.recorded.trigger,
    "acquisition time": lambda h: h.recorded.acquired_s,
    **{f"dimension {j + 1}": _Dimension(j) for j in range(5)},
}
"""What names a pass, the most telling first."""
WEAK: dict[str, Key] = {
    "tube current": lambda h: h.recorded.current,
    "exposure": lambda h: h.recorded.exposure,
}
"""What a scanner also changes from slice to slice of one pass."""
ORDERS: dict[str, Callable[[SliceHeader], float | None]] = {
    "acquisition time": lambda h: h.recorded.acquired_s,
    "content time": lambda h: h.recorded.content_s,
    "acquisition number": lambda h: float(h.recorded.acquisition),
    "instance number": lambda h: float(h.instance_number),
}
"""What grows while the table moves: a pass is a stretch in which positions go one way."""


Divided = tuple[str, dict[str, list[SliceHeader]]]


def divisions(headers: list[SliceHeader], *, weak: bool) -> Iterator[Divided]:
    """Every way to divide slices that could make passes: by a value, a place, or an order."""
    for name, key in {**STRONG, **(WEAK if weak else {})}.items():
        classes: dict[Hashable, list[SliceHeader]] = defaultdict(list)
        for header in headers:
            classes[key(header)].append(header)
        yield name, {f"{name} {_shown(value)}": held for value, held in classes.items()}
    yield "place", _by_place(headers)
    for name, order in ORDERS.items():
        yield name, _by_order(headers, name, order)


def _by_place(headers: list[SliceHeader]) -> dict[str, list[SliceHeader]]:
    """Slices by where their first pixel lies in the plane."""
    orientation = headers[0].orientation
    if orientation is None:
        return {}
    at = np.array([[along(h, axis) for axis in orientation] for h in headers])
    labels = np.stack([_clusters(at[:, 0]), _clusters(at[:, 1])], axis=1)
    classes: dict[str, list[SliceHeader]] = defaultdict(list)
    for header, label in zip(headers, labels.tolist(), strict=True):
        classes[f"place {label[0]}, {label[1]}"].append(header)
    return classes


def _clusters(values: NDArray[np.float64]) -> NDArray[Any]:
    """Numbers of the groups of values that lie within `SAME_PLACE_MM` of a neighbour."""
    order = np.argsort(values)
    steps = np.diff(values[order], prepend=values[order[:1]])
    labels = np.empty(len(values), dtype=int)
    labels[order] = np.cumsum(steps > SAME_PLACE_MM)
    return labels


def _by_order(
    headers: list[SliceHeader], name: str, order: Callable[[SliceHeader], float | None]
) -> dict[str, list[SliceHeader]]:
    """Stretches in which positions go one way as `order` grows; equal ones are one rotation."""
    blocks: dict[float, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        value = order(header)
        if value is None:
            return {}
        blocks[value].append(header)
    normal = StackGeometry.of(headers[:1]).normal
    values = sorted(blocks)
    at = [float(np.mean([along(h, normal) for h in blocks[v]])) for v in values]
    classes: dict[str, list[SliceHeader]] = {}
    for start, stop in _one_way(at):
        held = [h for v in values[start:stop] for h in blocks[v]]
        classes[f"pass {len(classes) + 1} by {name}"] = held
    return classes


def _one_way(at: list[float]) -> list[tuple[int, int]]:
    """Half-open ranges of monotonic positions."""
    steps = np.diff(at)
    cuts = [0]
    i = 1
    while i < len(steps):
        if steps[i] * steps[i - 1] > 0:
            i += 1
            continue
        # The turning point belongs to the stretch whose step it keeps.
        usual = float(np.median(np.abs(steps[cuts[-1] : i])))
        keeps = abs(abs(float(steps[i - 1])) - usual) <= KEEPS_STEP * usual
        cuts.append(i + 1 if keeps else i)
        i = cuts[-1] + 1
    return list(zip(cuts, [*cuts[1:], len(at)], strict=True))


def _shown(value: Hashable) -> str:
    if isinstance(value, float):
        return f"{int(value // 3600) % 24:02d}:{int(value // 60) % 60:02d}:{value % 60:04.1f}"
    return "\\".join(map(str, value)) if isinstance(value, tuple) else str(value)
