"""Slice-by-slice segmentation, the neighbour slice's contour shaping the next one.

Najm et al., CMPB 176 (2019): start at the slice with the largest brain section, then go up and
down; in each slice minimise (see `max_flow`)

    cost(x) = hu_cost + shape price from the neighbour's contour + price of not being enclosed
    weight(x) = geodesic: a contour is cheap where HU jump

and keep of the result only what can be intracranial (`components`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import Array, Mask
from strokediff.ct.brain.components import bony_rim, keep_intracranial, parts, without_canal
from strokediff.ct.brain.evidence import FAR_PRICE, CoarseGrid, Evidence, disc, hu_cost
from strokediff.ct.brain.max_flow import continuous_max_flow
from strokediff.ct.brain.shapes import fill_between, foreseen
from strokediff.ct.brain.usable import REACH_MM

CONTOUR = 0.6
"""Price of a cell's length of contour away from edges, in units of the tissue's -1."""
EDGE_SCALE_HU = 30.0
INSIDE_BONUS, INSIDE_MM = 0.3, 10.0
SLACK_MM, SLOPE = 1.0, 0.5
"""In-plane growth of the cavity that is free: mm, and mm per mm between slabs."""
START_OPENING_MM = 4.0
START_ENCLOSED = 0.6
START_AREA_MM2, START_BONY_RIM = 1000.0, 0.6
OTHER_AREA_MM2, OTHER_BONY_RIM = 800.0, 0.72
"""A single slice of the skull base shows the temporal lobes apart from the largest part."""
LOST, LOST_BELOW, BELOW = 0.1, 0.14, 0.9
"""Share of what both neighbours foresee that a slab must not lose: to be believed without a word,
and, below the start where sections are smaller than BELOW of its, to be believed at all. Real heads
lose up to 0.12 there, where the skull base juts in."""
LOST_FREE_MM2 = 200.0
"""A slab is looked past if it loses such a share of what the trend of the last two good ones
foresees and this besides: the trend bends at the vertex."""
FORESEEN_MM2, BEYOND_MM2 = 1200.0, 400.0
"""Sections foreseen smaller than this are not missed, and smaller ones beyond are not brain."""


@dataclass(frozen=True)
class ClosedSection:
    """What slab `k` shows of a closed skull: the enclosed `region`, its holes filled.

    `score` is area times bony share of the rim; 0 where the slab shows no closed skull.
    """

    k: int
    region: Mask
    score: float


def start_at(evidence: Evidence, k: int) -> ClosedSection:
    """Tissue of slab k that bone encloses: the largest part, and others almost all set in bone."""
    grid = evidence.grid
    tissue = (hu_cost(evidence.hu[:, :, k]) < 0) & (evidence.enclosure[:, :, k] > START_ENCLOSED)
    opened = ndimage.binary_opening(tissue, structure=disc(START_OPENING_MM, grid.pitch_mm))
    found = sorted(parts(opened, grid, OTHER_AREA_MM2), key=lambda p: -int(p.sum()))
    region = np.zeros_like(opened)
    score = 0.0
    for part in found:
        rim, area = bony_rim(evidence, part, k), part.sum() * grid.cell_mm2
        if part is found[0] and area >= START_AREA_MM2 and rim >= START_BONY_RIM:
            score = float(area * rim)
        elif score == 0 or rim < OTHER_BONY_RIM:
            continue
        region |= part
    return ClosedSection(k=k, region=ndimage.binary_fill_holes(region), score=score)


class Sweep:
    """The walk through a head, from the slab of `start` to both ends.

    `shift_per_mm` is how far the same patient point moves in-plane per mm going up (gantry tilt);
    `at_mm` (Z,) where the slabs lie along the slice normal. `scores` (Z,) are those of `start_at`.
    After `run`, `mask` (X, Y, Z) is the brain, interpolated in the slabs `skipped`; slabs that
    miss more than LOST and are believed nevertheless are `lost`.
    """

    def __init__(
        self,
        evidence: Evidence,
        starts: Sequence[ClosedSection],
        *,
        shift_per_mm: tuple[float, float],
        at_mm: NDArray[np.float64],
    ) -> None:
        self.evidence = evidence
        usable = [s for s in starts if s.k not in evidence.unusable]
        self.start = max(usable, key=lambda s: s.score)
        self.closed = [s.score > 0 for s in starts]
        self.shift_per_mm, self.at_mm = shift_per_mm, at_mm
        self.skipped = set(evidence.unusable)
        self.lost: set[int] = set()
        self.mask: Mask = np.zeros(evidence.hu.shape, dtype=bool)

    def run(self) -> Mask:
        """Walk up and down, then interpolate what was skipped."""
        k = self.start.k
        self.mask[:, :, k] = _segment(
            self.evidence, k, self.start.region, step_mm=2.0, going_up=True
        )
        for direction in (1, -1):
            self._walk(direction)
        pitch = self.evidence.grid.pitch_mm
        self.mask = fill_between(self.mask, self.skipped, self.at_mm, pitch, self.shift_per_mm)
        return self.mask

    def area_mm2(self, mask: Mask) -> float:
        """Area of a slab's mask."""
        return float(mask.sum() * self.evidence.grid.cell_mm2)

    def _walk(self, direction: int) -> None:
        slabs = self.mask.shape[2]
        good = [self.start.k]
        centre = np.array(ndimage.center_of_mass(self.mask[:, :, self.start.k]), dtype=np.float64)
        k = good[-1] + direction
        while 0 <= k < slabs and self.mask[:, :, good[-1]].any():
            if k not in self.skipped:
                found = self._found(k, good[-1], direction, centre)
                expected = self._foreseen_mm2(found, k, good, direction, centre)
                if self._is_unusable(found, k, good, expected):
                    self.skipped.add(k)
                else:
                    if self.area_mm2(found) < (1 - LOST) * expected:
                        self.lost.add(k)
                    self.mask[:, :, k] = found
                    centre = centre + self._shift(k, good[-1])
                    good.append(k)
            k += direction

    def _found(self, k: int, last: int, direction: int, centre: NDArray[np.float64]) -> Mask:
        """The brain in slab k, as the contour of slab `last` foresees it."""
        shift = self._shift(k, last)
        prior = ndimage.shift(self.mask[:, :, last].astype(np.float32), shift, order=1) > 0.5
        step = abs(float(self.at_mm[k] - self.at_mm[last]))
        found = _segment(self.evidence, k, prior, step_mm=step, going_up=direction > 0)
        if direction < 0:
            x, y = centre + shift
            found = without_canal(found, self.evidence.grid, (float(x), float(y)))
        return found

    def _shift(self, k: int, last: int) -> NDArray[np.float64]:
        """Cells by which a patient point moves from slab `last` to slab k."""
        rise = float(self.at_mm[k] - self.at_mm[last])
        return rise * np.array(self.shift_per_mm) / self.evidence.grid.pitch_mm

    def _trend_mm2(self, k: int, good: Sequence[int]) -> float:
        """The area that the last two good slabs lead to expect in slab k; it never grows."""
        area = self.area_mm2(self.mask[:, :, good[-1]])
        if len(good) == 1:
            return area
        before = self.area_mm2(self.mask[:, :, good[-2]])
        slope = (area - before) / (self.at_mm[good[-1]] - self.at_mm[good[-2]])
        return float(min(area, area + slope * float(self.at_mm[k] - self.at_mm[good[-1]])))

    def _foreseen_mm2(
        self,
        found: Mask,
        k: int,
        good: Sequence[int],
        direction: int,
        centre: NDArray[np.float64],
    ) -> float:
        """The area that the last good slab and the next beyond k foresee between them in slab k;
        0 where `found` keeps to the trend or too little is foreseen.

        The slab beyond is segmented anew from the good one: what is lost in k is regained slowly.
        Between two slabs of a vault lies more than the chord, by as much as the trend overshoots.
        """
        last, trend = good[-1], self._trend_mm2(k, good)
        if self.area_mm2(found) >= (1 - LOST / 2) * trend:
            return 0.0
        j = k
        while 0 <= (j := j + direction) < self.mask.shape[2]:
            if abs(self.at_mm[j] - self.at_mm[last]) > REACH_MM:
                return 0.0
            if j in self.skipped or (abs(j - k) > 1 and not self.closed[j]):
                continue
            beyond = self._found(j, last, direction, centre)
            if self.area_mm2(beyond) >= BEYOND_MM2:
                expected = self._between_mm2(k, last, j, beyond)
                if self._is_vault(k, expected):
                    expected = (expected + trend) / 2
                return expected if expected >= FORESEEN_MM2 else 0.0
        return 0.0

    def _between_mm2(self, k: int, last: int, j: int, beyond: Mask) -> float:
        """The area in slab k that slab `last` and `beyond` in slab j foresee between them."""
        low, high = sorted((last, j))
        shapes = {last: self.mask[:, :, last], j: beyond}
        gap = (float(self.at_mm[k] - self.at_mm[low]), float(self.at_mm[high] - self.at_mm[k]))
        between = foreseen(
            shapes[low], shapes[high], gap, self.evidence.grid.pitch_mm, self.shift_per_mm
        )
        return self.area_mm2(between < 0)

    def _is_unusable(self, found: Mask, k: int, good: Sequence[int], expected: float) -> bool:
        """Whether slab k, with so much area `expected`, is looked past rather than believed."""
        area = self.area_mm2(found)
        if area >= (1 - LOST) * self._trend_mm2(k, good) - LOST_FREE_MM2:
            return False
        return area < (1 - (LOST if self._is_vault(k, expected) else LOST_BELOW)) * expected

    def _is_vault(self, k: int, expected_mm2: float) -> bool:
        return k > self.start.k or expected_mm2 >= BELOW * self.area_mm2(
            self.mask[:, :, self.start.k]
        )


def _segment(evidence: Evidence, k: int, prior: Mask, *, step_mm: float, going_up: bool) -> Mask:
    cost = evidence.cost[:, :, k] + _shape_price(prior, evidence.grid, step_mm)
    weight = _geodesic_weight(evidence.hu[:, :, k])
    label = continuous_max_flow(cost, weight, start=prior.astype(np.float32)) > 0.5
    return keep_intracranial(label, evidence, k, prior, going_up=going_up)


def _shape_price(prior: Mask, grid: CoarseGrid, step_mm: float) -> Array:
    """Free within SLACK + SLOPE x step (mm) outside the neighbour's contour, then rising."""
    outside = ndimage.distance_transform_edt(~prior, sampling=grid.pitch_mm)
    inside = ndimage.distance_transform_edt(prior, sampling=grid.pitch_mm)
    free = SLACK_MM + SLOPE * step_mm
    far = FAR_PRICE * np.clip((outside - free) / free, 0, 1)
    return np.asarray((far - INSIDE_BONUS * np.clip(inside / INSIDE_MM, 0, 1)).astype(np.float32))


def _geodesic_weight(hu: Array) -> Array:
    gx, gy = np.gradient(np.clip(hu, -50.0, 200.0))
    return np.asarray(
        CONTOUR * (0.2 + 0.8 * np.exp(-np.hypot(gx, gy) / EDGE_SCALE_HU)).astype(np.float32)
    )
