"""Heads without their skull, as other tools leave them: a skull is put back around what is left.

Brain extraction knows the brain by the bone around it. Where somebody has taken away all but the
brain, or all but the brain and a rim of bone, one constant stands in place of the rest; a shell
of bone in it lets everything else go on as for a whole head.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from strokediff.ct.arrays import BONE_HU, HEAD_HU, Array, Mask
from strokediff.ct.brain.evidence import PITCH_MM, padding_in
from strokediff.ct.volume import CT

BACKGROUND_SHARE = 0.2
"""Share of the image that the constant fills at least."""
WHOLE_ML, MOST_ML = 300.0, 2600.0
IN_ONE_PIECE = 0.97
CELL_BRAIN_HU = (-15.0, 110.0)
"""Brain, CSF, blood and calcium of the plexus, averaged over a cell."""
MEAN_HU = (15.0, 60.0)
LEAST_CONTRAST_HU = 2.0
"""Brain is not a bottle of water: CSF and tissue differ, also when smoothed over TEXTURE_MM."""
TEXTURE_MM = 3.0
ALL_BRAIN = 0.9
"""Share of the rest that is of a brain's density where the skull is gone; whole heads have 0.6 to
0.84."""
BONY_SURFACE = 0.5
"""Share of the outermost cells that are bone where a rim of it was left; whole heads have scalp
there, and 0.32 at most."""
SHELL_MM, SHELL_HU = 5.0, 800.0


def with_skull(volume: CT) -> tuple[CT, tuple[str, ...]]:
    """`volume` with a shell of bone if it is skull-stripped, and a warning; else as it is."""
    step = [max(1, round(PITCH_MM / s)) for s in volume.pixel_spacing_mm]
    background = float(volume.hu[0, 0, 0])
    hu = volume.hu[:: step[0], :: step[1]]
    left = hu != background
    cell = (volume.pixel_spacing_mm[0] * step[0], volume.pixel_spacing_mm[1] * step[1])
    ml = left.sum() * cell[0] * cell[1] * volume.spacing_mm[2] / 1000
    if not WHOLE_ML <= ml <= MOST_ML or left.mean() > 1 - BACKGROUND_SHARE:
        return volume, ()
    if not _is_stripped(hu, left, cell):
        return volume, ()
    return _shelled(volume, background), (
        f"The scan looks skull-stripped: nothing but {background:.0f} HU lies around the brain. "
        "What is left was taken for the brain, less bone. Whole heads are what models and the "
        "check of the outline expect: use the unstripped scan, if there is one.",
    )


def with_walls(volume: CT) -> CT:
    """`volume` with bone in the padding that cuts the head: what every slice lacks, beside tissue.

    For heads that the field of view cuts so that no bone closes them.
    """
    shown = np.flatnonzero((volume.hu > HEAD_HU).any(axis=(0, 1)))
    padding = padding_in(volume.hu[:, :, shown])
    x, y = (2 * max(1, round(SHELL_MM / s)) + 1 for s in volume.pixel_spacing_mm)
    beside = ndimage.maximum_filter(volume.hu > HEAD_HU, size=(x, y, 1))
    wall = beside & padding[:, :, None]
    return replace(volume, hu=np.where(wall, np.float32(SHELL_HU), volume.hu))


def _is_stripped(hu: Array, left: Mask, cell_mm: tuple[float, float]) -> bool:
    # Seen from above, so that a blank slice does not make two pieces of it.
    labels, _ = ndimage.label(left.any(axis=2))
    pieces = np.bincount(labels.ravel(), weights=left.sum(axis=2).ravel())
    if pieces[1:].max() < IN_ONE_PIECE * left.sum():
        return False
    brain = left & (hu > CELL_BRAIN_HU[0]) & (hu < CELL_BRAIN_HU[1])
    bone = left & (hu > BONE_HU)
    surface = left & ~ndimage.binary_erosion(left, np.ones((3, 3, 1)), border_value=1)
    share = brain.sum() / left.sum()
    if share < ALL_BRAIN and (share < 0.5 or bone[surface].mean() < BONY_SURFACE):
        return False
    sigma = (TEXTURE_MM / cell_mm[0], TEXTURE_MM / cell_mm[1], 0.0)
    weight = ndimage.gaussian_filter(brain.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(brain, hu, 0.0), sigma) / np.maximum(weight, 1e-3)
    values = smooth[brain & (weight > 0.5)]
    if not values.size or not MEAN_HU[0] <= values.mean() <= MEAN_HU[1]:
        return False
    return bool(values.std() >= LEAST_CONTRAST_HU)


def _shelled(volume: CT, background: float) -> CT:
    """Bone in the background for SHELL_MM around what is left, and one slice above and below."""
    left = volume.hu != background
    for k in range(left.shape[2]):
        left[:, :, k] = ndimage.binary_fill_holes(left[:, :, k])
    x, y = (2 * max(1, round(SHELL_MM / s)) + 1 for s in volume.pixel_spacing_mm)
    wide = ndimage.maximum_filter(left, size=(x, y, 1))
    shown = np.flatnonzero(left.any(axis=(0, 1)))
    wide[:, :, max(0, shown[0] - 1)] |= wide[:, :, shown[0]]
    wide[:, :, min(wide.shape[2] - 1, shown[-1] + 1)] |= wide[:, :, shown[-1]]
    return replace(volume, hu=np.where(wide & ~left, np.float32(SHELL_HU), volume.hu))
