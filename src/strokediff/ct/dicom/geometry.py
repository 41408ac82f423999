"""Where the slices of a stack lie, from ImagePositionPatient and ImageOrientationPatient only.

SliceThickness, SpacingBetweenSlices and GantryDetectorTilt are never read: they are often wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.axes import lps_points, stack_affine
from strokediff.ct.dicom.frames import SliceHeader

SAME_POSITION_MM = 0.05
EVEN_TOLERANCE = 0.05
"""Slices are even when each lies within this part of an increment from its even place."""
SAME_INCREMENT_TOLERANCE = 0.06
"""Two increments this close, as a part of the larger one, are called equal."""
SIDEWAYS_TOLERANCE_PIXELS = 1.0


@dataclass(frozen=True)
class StackGeometry:
    """The slices in order along their normal, LPS mm.

    `groups[k]` are the headers at the k-th position (more than one: duplicates, or the slice was
    scanned again), the first scanned first. `along` (N,) are
    the positions along the unit `normal` (row direction x column direction), ascending;
    `origins` (N, 3) the first pixels' centres.
    """

    groups: tuple[tuple[SliceHeader, ...], ...]
    normal: NDArray[np.float64]
    along: NDArray[np.float64]
    origins: NDArray[np.float64]

    @classmethod
    def of(cls, headers: list[SliceHeader]) -> StackGeometry:
        """Order headers that share one orientation; those at one position form a group."""
        first = headers[0].orientation
        if first is None or any(h.position is None for h in headers):
            raise ValueError("headers without position or orientation")
        normal = np.cross(first[0], first[1])
        normal /= np.linalg.norm(normal)
        keyed = sorted(
            ((float(normal @ h.position), h.instance_number, str(h.path), h) for h in headers),
            key=lambda item: item[:3],
        )
        groups: list[list[SliceHeader]] = []
        along: list[float] = []
        for t, _, _, header in keyed:
            if along and t - along[-1] < SAME_POSITION_MM:
                groups[-1].append(header)
            else:
                groups.append([header])
                along.append(t)
        groups = [sorted(group, key=in_time) for group in groups]
        origins = np.array([group[0].position for group in groups], dtype=np.float64)
        return cls(tuple(map(tuple, groups)), normal, origins @ normal, origins)

    @property
    def n_slices(self) -> int:
        """Number of different positions."""
        return len(self.groups)

    @property
    def increments_mm(self) -> NDArray[np.float64]:
        """Steps between neighbours along the normal (N - 1,)."""
        return np.diff(self.along)

    @property
    def extent_mm(self) -> float:
        """From the first slice's centre to the last one's, along the normal."""
        return float(self.along[-1] - self.along[0])

    @property
    def axial_angle_deg(self) -> float:
        """Angle between the slice normal and the patient's foot-head axis, 0 to 90 degrees."""
        return float(np.degrees(np.arccos(min(1.0, abs(float(self.normal[2]))))))

    @property
    def tilt_deg(self) -> float:
        """Gantry tilt: angle between the normal and the direction in which slices are stacked.

        Positive where the upward normal leans to the patient's back against that direction;
        0 for slices stacked along their normal, however oblique they are.
        """
        travel = self.origins[-1] - self.origins[0]
        length = float(np.linalg.norm(travel))
        if length == 0:
            return 0.0
        angle = float(np.degrees(np.arccos(min(1.0, abs(float(self.normal @ travel)) / length))))
        up = np.sign(self.normal[2]) or 1.0
        leans = up * (self.normal[1] - travel[1] / length)
        return angle if leans >= 0 else -angle

    @property
    def is_even(self) -> bool:
        """Whether one increment describes all slices, within `EVEN_TOLERANCE`."""
        even = np.linspace(self.along[0], self.along[-1], self.n_slices)
        step = self.extent_mm / (self.n_slices - 1)
        return bool(np.abs(self.along - even).max() <= EVEN_TOLERANCE * step)

    @property
    def sideways_mm(self) -> float:
        """How far a slice's origin lies from the straight line from the first to the last."""
        part = (self.along - self.along[0]) / self.extent_mm
        line = self.origins[0] + part[:, None] * (self.origins[-1] - self.origins[0])
        return float(np.linalg.norm(self.origins - line, axis=1).max())

    def gaps(self) -> list[int]:
        """Indices k of increments that are holes: slices are missing between k and k + 1.

        Equal neighbouring increments form runs. A run of one or two increments is a hole when it
        is a whole multiple (2 or more) of the runs on both its sides; at an end of the stack, a
        single increment that is a multiple of the only run beside it. So a stack with one slice
        taken out is refused, while zones of different spacing (a GE head: 4 mm, one step of
        1.1 mm, then 7 mm) are not: there the larger step continues on one side.
        """
        steps = self.increments_mm
        runs = _runs(steps)
        holes: list[int] = []
        for i, (start, stop) in enumerate(runs):
            sides = [steps[slice(*runs[j])] for j in (i - 1, i + 1) if 0 <= j < len(runs)]
            longest = 2 if len(sides) == 2 else 1
            size = float(steps[start:stop].mean())
            if sides and stop - start <= longest and all(_multiple(size, s.mean()) for s in sides):
                holes.extend(range(start, stop))
        return holes

    def local_increments_mm(self) -> NDArray[np.float64]:
        """Tissue that each slice stands for (N,): half the step to each neighbour.

        The first and the last slice stand for their only step, as if it continued.
        """
        steps = self.increments_mm
        padded = np.concatenate([steps[:1], steps, steps[-1:]])
        return np.asarray((padded[:-1] + padded[1:]) / 2)

    def affine_ras(self) -> NDArray[np.float64]:
        """Stored index (column, row, slice) to RAS+ mm (4, 4); sheared where the gantry tilts.

        The third column is (last - first) / (n - 1); for uneven slices that direction with the
        median increment along the normal.
        """
        header = self.groups[0][0]
        if header.orientation is None or header.spacing is None:
            raise ValueError("header without orientation or spacing")
        step = (self.origins[-1] - self.origins[0]) / (self.n_slices - 1)
        if not self.is_even:
            step *= np.median(self.increments_mm) / (step @ self.normal)
        return stack_affine(header.orientation, header.spacing, step, self.origins[0])

    def origins_ras(self) -> NDArray[np.float64]:
        """The first pixels' centres (N, 3), RAS+ mm."""
        return lps_points(self.origins)


def along(header: SliceHeader, direction: NDArray[np.float64]) -> float:
    """Where a slice's first pixel lies along a unit direction (3,), mm."""
    if header.position is None:
        raise ValueError("header without position")
    return float(direction @ header.position)


def in_time(header: SliceHeader) -> tuple[Any, ...]:
    """Sorts headers by when they were scanned, as far as they tell, then by number and path."""
    recorded = header.recorded
    return (
        recorded.acquired_s or 0.0,
        recorded.acquisition,
        (len(recorded.temporal), recorded.temporal),
        recorded.content_s or 0.0,
        (len(recorded.stack), recorded.stack),
        recorded.dimensions,
        header.instance_number,
        str(header.path),
    )


def _runs(steps: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Half-open ranges of neighbouring increments that are equal."""
    cuts = [0]
    for i in range(1, len(steps)):
        larger = max(steps[i], steps[i - 1])
        if abs(steps[i] - steps[i - 1]) > SAME_INCREMENT_TOLERANCE * larger:
            cuts.append(i)
    return list(zip(cuts, [*cuts[1:], len(steps)], strict=True))


def _multiple(size: float, unit: float) -> bool:
    """Whether `size` is about 2, 3, ... times `unit`."""
    ratio = size / unit
    return ratio > 1.5 and abs(ratio - round(ratio)) <= min(0.05 * ratio, 0.25)
