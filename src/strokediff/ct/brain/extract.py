"""`extract_brain`: the intracranial contents of a head CT."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from strokediff.ct.arrays import Mask
from strokediff.ct.brain import remarks
from strokediff.ct.brain.components import without_holes
from strokediff.ct.brain.ends import beside_padding, open_ends
from strokediff.ct.brain.evidence import coarse_evidence
from strokediff.ct.brain.native import to_native
from strokediff.ct.brain.propagate import Sweep, start_at
from strokediff.ct.brain.shapes import shift_per_mm, slab_middles_mm
from strokediff.ct.brain.stripped import with_skull, with_walls
from strokediff.ct.brain.usable import NO_BRAIN, blank_slices, odd_slices
from strokediff.ct.brain.windowed import without_window
from strokediff.ct.volume import CT
from strokediff.errors import InputError

PASSES = 3
"""How often slices that turn out unusable are left out and the brain is sought again."""


@dataclass(frozen=True)
class BrainMask:
    """Intracranial contents: `mask` (X, Y, Z) bool on the volume's grid.

    `truncated` says that the brain goes on beyond the scan: it is cut wide by the first or last
    slice that shows anything, or by the field of view. `warnings` are sentences for the user.
    `unusable` says why, by the index of the slice, for slices in which the mask does not follow
    the image: it is interpolated there, and so must be what is sought in it.

    >>> brain = extract_brain(read_ct("scan.nii.gz"))
    >>> round(brain.volume_ml, -1), brain.truncated, brain.unusable
    (1250.0, False, {})
    """

    mask: Mask
    volume_ml: float
    warnings: tuple[str, ...]
    truncated: bool
    unusable: dict[int, str] = field(default_factory=dict)

    @property
    def unusable_slices(self) -> tuple[int, ...]:
        """Indices along z of the unusable slices, from the bottom."""
        return tuple(sorted(self.unusable))


@dataclass(frozen=True)
class _Found:
    """The brain of one volume as it is given: its mask, slices that could not be used, the walk."""

    mask: Mask
    unusable: dict[int, str]
    sweep: Sweep


def extract_brain(volume: CT) -> BrainMask:
    """Brain and CSF inside the inner table, down to the foramen magnum.

    Slices that cannot be used (blank, partly missing, metal streaks, noise, foreign content) are
    stepped over and named, if good ones lie on both sides. Raises InputError if no slice shows
    tissue of a brain's density enclosed by bone.

    >>> x, y, z = np.ogrid[-1:1:72j, -1:1:72j, -1:1:14j]
    >>> r = np.sqrt(x**2 + y**2 + z**2)
    >>> hu = np.select([r < 0.7, r < 0.8], [35.0, 900.0], default=-1000.0)
    >>> brain = extract_brain(CT(hu, np.diag([3.0, 3.0, 12.0, 1.0])))
    >>> brain.mask.shape, round(brain.volume_ml, -1), brain.warnings
    ((72, 72, 14), 1250.0, ())
    """
    volume = without_window(volume)
    volume, stripped = with_skull(volume)
    found = _find(volume)
    early = remarks.ended_early(found.sweep, volume)
    if early or beside_padding(found.mask, volume, found.unusable):
        walled = _find(with_walls(volume))
        closed = remarks.ended_early(walled.sweep, volume)
        if len(closed) <= len(early) and walled.mask.sum() > found.mask.sum():
            found, early = walled, closed
    mask, unusable = found.mask, found.unusable
    volume_ml = volume.mask_volume_mm3(mask) / 1000
    cut = open_ends(mask, volume, unusable)
    return BrainMask(
        mask=mask,
        volume_ml=volume_ml,
        warnings=(
            *stripped,
            *remarks.interpolated(unusable, mask.shape[2]),
            *remarks.smoothed(found.sweep.evidence),
            *cut,
            *remarks.lost(mask, volume, found.sweep, unusable),
            *early,
            *remarks.implausible(volume, volume_ml, bool(cut)),
        ),
        truncated=bool(cut),
        unusable=unusable,
    )


def _find(volume: CT) -> _Found:
    unusable = blank_slices(volume)
    for _ in range(PASSES):
        sweep = _sweep(volume, unusable)
        grid = sweep.evidence.grid
        coarse = without_holes(sweep.run(), grid)
        more = _unusable(volume, sweep, coarse, unusable)
        unusable |= more
        # Slabs that the sweep skipped whole are done with; any other news asks for another pass.
        if all(k // grid.block[2] in sweep.skipped for k in more):
            break
    mask = to_native(coarse, grid, volume, unusable)
    return _Found(mask, {k: w for k, w in sorted(unusable.items()) if mask[:, :, k].any()}, sweep)


def _sweep(volume: CT, unusable: dict[int, str]) -> Sweep:
    evidence = coarse_evidence(volume, unusable)
    if evidence is None:
        raise InputError(_no_head(volume, "nothing denser than air was found"))
    starts = [start_at(evidence, k) for k in range(evidence.hu.shape[2])]
    if max((s.score for s in starts if s.k not in evidence.unusable), default=0) == 0:
        raise InputError(_no_head(volume, "no slice shows tissue of 0-80 HU enclosed by bone"))
    at_mm = slab_middles_mm(volume.slice_increments_mm, evidence.grid.block[2])
    return Sweep(evidence, starts, shift_per_mm=shift_per_mm(volume), at_mm=at_mm)


def _unusable(volume: CT, sweep: Sweep, coarse: Mask, known: dict[int, str]) -> dict[int, str]:
    """Slices that this pass shows to be unusable: odd ones, and slabs that were skipped whole."""
    grid = sweep.evidence.grid
    odd = odd_slices(volume, coarse, grid, known)
    bz, count = grid.block[2], volume.hu.shape[2]
    for slab in sweep.skipped:
        slices = range(slab * bz, min(count, (slab + 1) * bz))
        if not any(k in odd or k in known for k in slices):
            odd |= dict.fromkeys(slices, NO_BRAIN)
    return {k: why for k, why in odd.items() if k not in known}


def _no_head(volume: CT, came: str) -> str:
    low, high = float(np.nanmin(volume.hu)), float(np.nanmax(volume.hu))
    return (
        f"{volume.source.path}: no head found. Expected a CT of the head in HU with at least one "
        f"slice in which the skull surrounds the brain; {came} ({volume.hu.shape[2]} slices, "
        f"{low:.0f} to {high:.0f} HU). Check that this is the axial head series and that values "
        "are in HU."
    )
