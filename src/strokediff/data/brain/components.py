"""Which connected parts of a slice's label can be intracranial.

The max-flow label follows tissue wherever it leads; anatomy decides here: a part lies under (or
over) the neighbour's contour, bone surrounds it, necks lead nowhere, and the spinal canal begins
where the posterior fossa has shrunk to the size of the foramen magnum.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from strokediff.data.brain.evidence import BONE_HU, Evidence, Grid, Mask, ball

LEAK_MM = 3.0
"""Necks narrower than twice this are not followed: foramina, fissures, small skull defects."""
MIN_OVERLAP = 0.3
"""Share of a part that must lie within the neighbour's contour."""
MIN_BONY_RIM = 0.5
"""Share of a part's surroundings that must be bone, not fat, muscle or air."""
MIN_PART_MM2 = 30.0
RIM_MM = 3.0
FORAMEN_MAGNUM_MM2 = 900.0
"""A midline part behind the sella smaller than this is the spinal canal (the foramen is 6-12 cm²)."""
FRONTAL_MM = 25.0
"""Midline parts this far in front of the brain's centre are the frontal base, not the canal."""




def keep_intracranial(label: Mask, evidence: Evidence, k: int, prior: Mask) -> Mask:
    """Parts of `label` in slice k that the rules above allow, necks cut, holes left as they are."""
    grid = evidence.grid
    disc = ball(LEAK_MM, grid.pitch_mm)
    core = ndimage.binary_opening(label, structure=disc)
    slivers = label & ~_reconstruct(core, label)
    kept = np.zeros_like(label)
    for part in _parts(core, grid):
        if _overlap(part, prior) >= MIN_OVERLAP and bony_rim(evidence, part, k) >= MIN_BONY_RIM:
            kept |= part
    kept = ndimage.binary_dilation(kept, structure=ball(LEAK_MM + 1.5, grid.pitch_mm)) & label
    for part in _parts(slivers, grid):
        if _overlap(part, prior) > 0.8 and bony_rim(evidence, part, k) > 0.8:
            kept |= part
    return kept


def without_canal(mask: Mask, grid: Grid, centre: tuple[float, float]) -> Mask:
    """Drop the midline part that has become as small as the foramen magnum. (x, y) in cells."""
    kept = mask.copy()
    for part in _parts(mask, grid):
        x, y = np.nonzero(part)
        on_midline = x.min() < centre[0] < x.max()
        frontal = (y.mean() - centre[1]) * grid.pitch_mm[1] > FRONTAL_MM
        if on_midline and not frontal and part.sum() * grid.cell_mm2 < FORAMEN_MAGNUM_MM2:
            kept &= ~part
    return kept


def bony_rim(evidence: Evidence, part: Mask, k: int) -> float:
    """Share of the cells within RIM_MM around `part` that border on bone or are it."""
    rim = ndimage.binary_dilation(part, structure=ball(RIM_MM, evidence.grid.pitch_mm)) & ~part
    near = ndimage.maximum_filter(evidence.hu[:, :, k], size=3) > BONE_HU
    return float(near[rim].mean()) if rim.any() else 0.0


def _reconstruct(seed: Mask, within: Mask) -> Mask:
    return ndimage.binary_propagation(seed & within, mask=within)


def _parts(mask: Mask, grid: Grid) -> list[Mask]:
    labels, count = ndimage.label(mask)
    parts = [labels == i for i in range(1, count + 1)]
    return [p for p in parts if p.sum() * grid.cell_mm2 >= MIN_PART_MM2]


def _overlap(part: Mask, prior: Mask) -> float:
    return float((part & prior).sum() / part.sum())
