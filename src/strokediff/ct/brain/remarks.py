"""What the user is told about a brain mask: sentences, none where all is well."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby

import numpy as np

from strokediff.ct.arrays import Mask
from strokediff.ct.brain.evidence import Evidence
from strokediff.ct.brain.propagate import LOST, Sweep
from strokediff.ct.brain.shapes import foreseen, slab_middles_mm
from strokediff.ct.volume import CT

PLAUSIBLE_ML = (900.0, 1800.0)
WHOLE_HEAD_MM = 110.0
"""A scan that covers less is not expected to hold a whole brain."""
LOST_MM2 = 2000.0
"""Smaller sections are not foreseen well enough."""


def interpolated(unusable: Mapping[int, str], count: int) -> list[str]:
    """Which slices were stepped over, and what that means for the result."""
    if not unusable:
        return []
    listed = "; ".join(
        f"{slices(k for k, w in unusable.items() if w == why)}: {why}"
        for why in dict.fromkeys(unusable.values())
    )
    return [
        f"{len(unusable)} of {count} slices could not be used ({listed}; counted from the "
        "bottom). Nothing was sought in them: brain and lesion are interpolated there from the "
        "slices beside them."
    ]


def smoothed(evidence: Evidence) -> list[str]:
    """That the scan is too noisy as it is."""
    used = evidence.hu.shape[2] - len(evidence.unusable)
    if len(evidence.noisy - evidence.unusable) < 0.2 * used:
        return []
    return [
        "The scan is so noisy that it was smoothed to find the brain. The network has not seen "
        "such noise: use a series with a soft-tissue kernel or thicker slices, if there is one."
    ]


def lost(mask: Mask, volume: CT, sweep: Sweep, unusable: Collection[int]) -> list[str]:
    """Slices whose section of the brain is a tenth smaller than those beside them foresee: to the
    walk, and in the mask.
    """
    bz = sweep.evidence.grid.block[2]
    named = {k for k in range(mask.shape[2]) if k // bz in sweep.lost} - set(unusable)
    named |= _sunken(mask, volume, unusable)
    if not named:
        return []
    return [
        f"In {slices(named)} the brain is more than a tenth smaller than the slices beside "
        "foresee. Look at the outline in the preview before you use the result."
    ]


def _sunken(mask: Mask, volume: CT, unusable: Collection[int]) -> set[int]:
    """Slices of less area than 5 mm below and above foresee, by their areas and by their shapes."""
    area = np.count_nonzero(mask, axis=(0, 1)) * np.prod(volume.pixel_spacing_mm)
    at_mm = slab_middles_mm(volume.slice_increments_mm, 1)
    named = set()
    for k in range(1, len(area) - 1):
        reach = max(1, round(5.0 / volume.slice_increments_mm[k]))
        low, high = max(0, k - reach), min(len(area) - 1, k + reach)
        expected = np.interp(at_mm[k], at_mm[[low, high]], area[[low, high]])
        if expected < LOST_MM2 or area[k] >= (1 - LOST) * expected or k in unusable:
            continue
        if min(area[low], area[high]) > 0 and _is_lost(mask, volume, (low, k, high)):
            named.add(k)
    return named


def ended_early(sweep: Sweep, volume: CT) -> list[str]:
    """That slices beyond the brain that was found show tissue enclosed by bone."""
    slabs = np.flatnonzero(sweep.mask.any(axis=(0, 1)))
    bz = sweep.evidence.grid.block[2]
    missed = [
        k
        for slab, closed in enumerate(sweep.closed)
        if closed and not slabs[0] <= slab <= slabs[-1]
        for k in range(slab * bz, min(volume.hu.shape[2], (slab + 1) * bz))
    ]
    if not missed:
        return []
    return [
        f"Brain extraction ended early: in {slices(missed)} bone encloses tissue that is not in "
        "the brain found. Look at the outline in the preview before you use the result."
    ]


def implausible(volume: CT, volume_ml: float, truncated: bool) -> list[str]:
    """That the brain is smaller or larger than those of adults are."""
    low, high = PLAUSIBLE_ML
    covers_head = volume.slice_increments_mm.sum() >= WHOLE_HEAD_MM and not truncated
    if volume_ml <= high and (volume_ml >= low or not covers_head):
        return []
    return [
        f"Brain extraction found {volume_ml:.0f} mL; {low:.0f}-{high:.0f} mL is usual in adults. "
        "Look at the outline in the preview before you use the result."
    ]


def slices(indices: Iterable[int]) -> str:
    """Slices as the report counts them: "slice 4", "slices 4, 7 to 9"."""
    ordered = sorted(indices)
    runs = []
    for _, run in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        ks = [k + 1 for _, k in run]
        runs.append(f"{ks[0]} to {ks[-1]}" if len(ks) > 2 else ", ".join(map(str, ks)))
    return f"slice{'s' if len(ordered) > 1 else ''} {', '.join(runs)}"


def _is_lost(mask: Mask, volume: CT, at: tuple[int, int, int]) -> bool:
    """Whether the middle slice of `at` lacks a tenth of what the outer two foresee."""
    low, k, high = at
    at_mm = slab_middles_mm(volume.slice_increments_mm, 1)
    gap = (float(at_mm[k] - at_mm[low]), float(at_mm[high] - at_mm[k]))
    between = foreseen(mask[:, :, low], mask[:, :, high], gap, volume.pixel_spacing_mm) < 0
    return bool(mask[:, :, k].sum() < (1 - LOST) * max(1.0, float(between.sum())))
