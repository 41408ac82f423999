"""Which connected parts of a slice's label can be intracranial.

The max-flow label follows tissue wherever it leads; anatomy decides here: a part lies under (or
over) the neighbour's contour, bone surrounds it, necks lead nowhere, and the spinal canal begins
where the posterior fossa has shrunk to the size of the foramen magnum.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from strokediff.ct.arrays import BONE_HU, Mask
from strokediff.ct.brain.evidence import CoarseGrid, Evidence, disc

LEAK_MM = 3.5
"""Necks narrower than twice this are not followed: foramina, fissures, small skull defects."""
JOIN_MM = 2.5
SMALL_HOLE_MM2 = 60.0
MIN_OVERLAP = 0.5
"""Share of a part that must lie within the neighbour's contour."""
MIN_BONY_RIM = 0.6
"""Share of a part's surroundings that must be bone, not fat, muscle or air."""
_ALIKE, MIN_BONY_RIM_ALIKE = 0.92, 0.3
"""A part that is this much (Dice) the neighbour's contour needs less: the skull of infants is thin
and open at its sutures."""
MIN_CORE_MM2 = 100.0
MIN_SLIVER_MM2 = 30.0
BONY_RIM_MM = 3.0
FORAMEN_MAGNUM_MM2 = 900.0
"""A midline part behind the sella smaller than this is the canal; the foramen has 6-12 cm²."""
FRONTAL_MM = 25.0
"""Midline parts this far in front of the brain's centre are the frontal base, not the canal."""


def keep_intracranial(
    label: Mask, evidence: Evidence, k: int, prior: Mask, *, going_up: bool
) -> Mask:
    """Parts of `label` in slab k that the rules above allow, necks cut, holes left as they are.

    Going up, to the vertex, slivers too narrow for `LEAK_MM` are kept where they continue the
    neighbour; on the skull base such slivers are canals and air cells.
    """
    grid = evidence.grid
    core = ndimage.binary_opening(label, structure=disc(LEAK_MM, grid.pitch_mm))
    kept = np.zeros_like(label)
    for part in parts(core, grid, MIN_CORE_MM2):
        if _overlap(part, prior) < MIN_OVERLAP:
            continue
        alike = 2 * (part & prior).sum() / (part.sum() + prior.sum()) >= _ALIKE
        if bony_rim(evidence, part, k) >= (MIN_BONY_RIM_ALIKE if alike else MIN_BONY_RIM):
            kept |= part
    kept = _grown_back(kept, label, grid)
    if going_up:
        for part in parts(label & ~_reconstruct(core, label), grid, MIN_SLIVER_MM2):
            if _overlap(part, prior) > 0.8 and bony_rim(evidence, part, k) > 0.8:
                kept |= part
    return kept


def without_canal(mask: Mask, grid: CoarseGrid, centre: tuple[float, float]) -> Mask:
    """Drop the midline part that has become as small as the foramen magnum.

    `centre` is the brain's, in cells. Parts closer than `JOIN_MM` count as one: the canal does
    not go while the cerebellum is still seen beside it.
    """
    joined = ndimage.binary_dilation(mask, structure=disc(JOIN_MM, grid.pitch_mm))
    kept = mask.copy()
    for region in parts(joined, grid, 0.0):
        part = region & mask
        x, y = np.nonzero(part)
        on_midline = x.min() < centre[0] < x.max()
        frontal = (y.mean() - centre[1]) * grid.pitch_mm[1] > FRONTAL_MM
        if on_midline and not frontal and part.sum() * grid.cell_mm2 < FORAMEN_MAGNUM_MM2:
            kept &= ~part
    return kept


def parts(mask: Mask, grid: CoarseGrid, min_mm2: float) -> list[Mask]:
    """4-connected parts of a slab's mask of at least `min_mm2`."""
    labels, count = ndimage.label(mask)
    found = [labels == i for i in range(1, count + 1)]
    return [p for p in found if p.sum() * grid.cell_mm2 >= min_mm2]


def bony_rim(evidence: Evidence, part: Mask, k: int) -> float:
    """Share of the cells within BONY_RIM_MM around `part` that border on bone or are it."""
    rim = ndimage.binary_dilation(part, structure=disc(BONY_RIM_MM, evidence.grid.pitch_mm)) & ~part
    near = ndimage.maximum_filter(evidence.hu[:, :, k], size=3) > BONE_HU
    return float(near[rim].mean()) if rim.any() else 0.0


def without_holes(mask: Mask, grid: CoarseGrid) -> Mask:
    """Fill the holes of each slab of `mask` (X, Y, Z), but for what stands on the skull base.

    Calcification and metal are filled; a large island with no brain in the slab below it is the
    dorsum sellae or the petrous ridge, and stays out.
    """
    filled = mask.copy()
    for k in range(mask.shape[2]):
        holes = ndimage.binary_fill_holes(mask[:, :, k]) & ~mask[:, :, k]
        below = filled[:, :, k - 1] if k > 0 else np.ones_like(holes)
        for hole in parts(holes, grid, 0.0):
            if hole.sum() * grid.cell_mm2 < SMALL_HOLE_MM2 or _overlap(hole, below) > 0.5:
                filled[:, :, k] |= hole
    return filled


def _grown_back(core: Mask, label: Mask, grid: CoarseGrid) -> Mask:
    """Give an opened part its corners back, going only through the label, not across bone."""
    steps = max(1, round(LEAK_MM / grid.pitch_mm[0]))
    square = np.ones((3, 3), dtype=bool)
    return (
        ndimage.binary_dilation(core, square, iterations=steps, mask=label) if core.any() else core
    )


def _reconstruct(seed: Mask, within: Mask) -> Mask:
    return np.asarray(ndimage.binary_propagation(seed & within, mask=within))


def _overlap(part: Mask, prior: Mask) -> float:
    return float((part & prior).sum() / part.sum())
