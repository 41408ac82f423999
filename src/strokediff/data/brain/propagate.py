"""Slice-by-slice segmentation, the neighbour slice's contour shaping the next one.

Najm et al., CMPB 176 (2019): start at the slice with the largest brain section, then go up and
down; in each slice minimise (see `max_flow`)

    cost(x) = hu_cost + shape price from the neighbour's contour + price of not being enclosed
    weight(x) = geodesic: a contour is cheap where HU jump

and keep of the result only what can be intracranial (`components`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.data.brain.components import bony_rim, keep_intracranial, parts, without_canal
from strokediff.data.brain.evidence import FAR_PRICE, Array, Evidence, Grid, Mask, ball, hu_cost
from strokediff.data.brain.max_flow import continuous_max_flow

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


@dataclass(frozen=True)
class Start:
    """What slab `k` shows of a closed skull: the enclosed `region`, its holes filled.

    `score` is area times bony share of the rim; 0 where the slab shows no closed skull.
    """

    k: int
    region: Mask
    score: float


def start_at(evidence: Evidence, k: int) -> Start:
    """Tissue of slab k that bone encloses: the largest part, and others almost all set in bone."""
    grid = evidence.grid
    tissue = (hu_cost(evidence.hu[:, :, k]) < 0) & (evidence.enclosure[:, :, k] > START_ENCLOSED)
    opened = ndimage.binary_opening(tissue, structure=ball(START_OPENING_MM, grid.pitch_mm))
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
    return Start(k=k, region=ndimage.binary_fill_holes(region), score=score)


def sweep(
    evidence: Evidence,
    start: Start,
    *,
    shift_per_mm: tuple[float, float],
    step_mm: NDArray[np.float64],
) -> Mask:
    """Mask (X, Y, Z) from the slab of `start` to both ends.

    `shift_per_mm` is how far the same patient point moves in-plane per mm going up (gantry tilt);
    `step_mm` (Z - 1,) the distance between neighbours along the slice normal.
    """
    slabs = evidence.hu.shape[2]
    mask = np.zeros(evidence.hu.shape, dtype=bool)
    middle = start.k
    mask[:, :, middle] = _segment(evidence, middle, start.region, step_mm=2.0, going_up=True)
    for direction in (1, -1):
        centre = np.array(ndimage.center_of_mass(mask[:, :, middle]))
        prior = mask[:, :, middle]
        k = middle + direction
        while 0 <= k < slabs and prior.any():
            step = float(step_mm[min(k, k - direction)])
            shift = direction * step * np.array(shift_per_mm) / evidence.grid.pitch_mm
            prior = ndimage.shift(prior.astype(np.float32), shift, order=1) > 0.5
            centre += shift
            found = _segment(evidence, k, prior, step_mm=step, going_up=direction > 0)
            if direction < 0:
                found = without_canal(found, evidence.grid, (centre[0], centre[1]))
            mask[:, :, k] = prior = found
            k += direction
    return mask


def _segment(evidence: Evidence, k: int, prior: Mask, *, step_mm: float, going_up: bool) -> Mask:
    cost = evidence.cost[:, :, k] + _shape_price(prior, evidence.grid, step_mm)
    weight = _geodesic_weight(evidence.hu[:, :, k])
    label = continuous_max_flow(cost, weight, start=prior.astype(np.float32)) > 0.5
    return keep_intracranial(label, evidence, k, prior, going_up=going_up)


def _shape_price(prior: Mask, grid: Grid, step_mm: float) -> Array:
    """Free within SLACK + SLOPE x step (mm) outside the neighbour's contour, then rising."""
    outside = ndimage.distance_transform_edt(~prior, sampling=grid.pitch_mm)
    inside = ndimage.distance_transform_edt(prior, sampling=grid.pitch_mm)
    free = SLACK_MM + SLOPE * step_mm
    far = FAR_PRICE * np.clip((outside - free) / free, 0, 1)
    return (far - INSIDE_BONUS * np.clip(inside / INSIDE_MM, 0, 1)).astype(np.float32)


def _geodesic_weight(hu: Array) -> Array:
    gx, gy = np.gradient(np.clip(hu, -50.0, 200.0))
    return CONTOUR * (0.2 + 0.8 * np.exp(-np.hypot(gx, gy) / EDGE_SCALE_HU)).astype(np.float32)
