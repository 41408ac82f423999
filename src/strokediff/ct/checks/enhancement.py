"""Was contrast given? Asked of the pixels, where a header says nothing or the wrong thing.

Blood measures 40 to 70 HU, clotted blood up to 100; with contrast, veins reach 110 to 180 HU and
arteries 200 to 400. So tubes above that in the brain are vessels with contrast. What else is
bright there is not such tubes: calcifications of plexus, pineal gland and basal ganglia are short,
those of the falx and catheters denser, metal much denser, a haematoma darker and thick, and bone
that a slice takes in part lies at the skull, where nothing is looked for. A head that was saved
through a brain window shows no such values, so that nothing can be said of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from strokediff.ct.arrays import Array, Mask
from strokediff.ct.volume import CT

BRIGHT_HU = 115.0
"""Above any blood without contrast, haematoma included, and below sinuses with it."""
NOISE = 6.0
"""Standard deviations of the brain above its median that noise does not reach."""
SMOOTH_MM = 0.6
SKULL_HU, SKULL_MM = 450.0, 4.0
"""Bone, and how far from it, or the brain's edge, a slice may show it in part."""
METAL_HU = 2500.0
"""Slices with metal, and those beside them, are left out: its streaks are bright."""
DENSE_HU, SINUS_HU = 500.0, 260.0
"""Calcium, catheters and metal are denser than the first; a sinus is not denser than the second."""
THICK_MM = 5.0
"""No vessel of the brain is wider than twice this."""
SPECK_MM3 = 15.0
LONG_MM, SINUS_MM, SINUS_ML = 30.0, 45.0, 0.8
SPREAD_CELLS, SPREAD_ML, CELL_MM = 28, 2.0, 15.0
"""Two real plain heads with calcifications reach 8 and 23 cells with 0.9 and 1.2 mL."""


@dataclass(frozen=True)
class Tube:
    """Something bright in the brain: how long and how much it is, and how bright (95th percentile).

    `cells` are the cubes of `CELL_MM` that it reaches.
    """

    length_mm: float
    volume_ml: float
    hu: float
    cells: frozenset[tuple[int, ...]]


def enhanced(volume: CT, brain: Mask) -> list[str]:
    """A warning if vessels of the brain (X, Y, Z) hold contrast; nothing if that cannot be told."""
    tubes = bright_tubes(volume, brain)
    sinus = [t for t in tubes if t.length_mm >= SINUS_MM and t.hu <= SINUS_HU]
    cells = frozenset[tuple[int, ...]]().union(*(t.cells for t in tubes))
    total_ml = sum(t.volume_ml for t in tubes)
    if not (
        any(t.volume_ml >= SINUS_ML for t in sinus)
        or sum(t.length_mm >= LONG_MM for t in tubes) >= 2
        or (len(cells) >= SPREAD_CELLS and total_ml >= SPREAD_ML)
    ):
        return []
    brightest = max(t.hu for t in tubes)
    return [
        f"contrast medium seems to have been given, whatever the header says: {total_ml:.1f} mL of "
        f"tubes in the brain measure up to {brightest:.0f} HU (blood without contrast: 40 to 80). "
        f"The model knows plain CT; give the plain series"
    ]


def bright_tubes(volume: CT, brain: Mask) -> list[Tube]:
    """What is bright, thin and not at the skull, without specks."""
    box = _box(brain, volume)
    if box is None:
        return []
    brain, hu = brain[box], volume.hu[box]
    spacing = volume.pixel_spacing_mm
    smooth = ndimage.gaussian_filter(
        np.clip(hu, -200, 1500), [SMOOTH_MM / spacing[0], SMOOTH_MM / spacing[1], 0]
    )
    core = _core(brain, smooth, spacing)
    metal = np.any((hu > METAL_HU) & brain, axis=(0, 1))
    core[:, :, ndimage.binary_dilation(metal)] = False
    if not core.any():
        return []
    median = np.median(smooth[core])
    spread = 1.4826 * np.median(np.abs(smooth[core] - median))
    bright = core & (smooth > max(BRIGHT_HU, median + NOISE * spread))
    labels, _ = ndimage.label(bright, np.ones((3, 3, 3)))
    tubes = (
        _tube(labels[found] == number, smooth[found], found, volume, box)
        for number, found in enumerate(ndimage.find_objects(labels), start=1)
    )
    return [tube for tube in tubes if tube is not None]


def _box(brain: Mask, volume: CT) -> tuple[slice, slice, slice] | None:
    """The brain's bounding box with room for its edge, at full height."""
    if not brain.any():
        return None
    sides = []
    for axis, spacing in enumerate(volume.pixel_spacing_mm):
        used = np.flatnonzero(brain.any(axis=(1 - axis, 2)))
        room = int(np.ceil(2 * SKULL_MM / spacing))
        sides.append(slice(max(0, used[0] - room), used[-1] + 1 + room))
    return sides[0], sides[1], slice(None)


def _core(brain: Mask, smooth: Array, spacing: tuple[float, float]) -> Mask:
    """The brain further than `SKULL_MM` from its edge and from skull in this slice or the next."""
    core = np.zeros_like(brain)
    bone = smooth > SKULL_HU
    for k in np.flatnonzero(brain.any(axis=(0, 1))):
        near = bone[:, :, max(0, k - 1) : k + 2].any(axis=2)
        labels, count = ndimage.label(near)
        skull = np.zeros(count + 1, bool)
        skull[np.unique(labels[~brain[:, :, k]])] = True  # what lies in the brain alone is calcium
        skull[0] = False
        free = brain[:, :, k] & ~skull[labels]
        core[:, :, k] = ndimage.distance_transform_edt(free, sampling=spacing) > SKULL_MM
    return core


def _tube(
    shape: Mask, smooth: Array, found: tuple[slice, ...], volume: CT, box: tuple[slice, ...]
) -> Tube | None:
    """One component as a tube; None for a speck, what is thick, and what is denser than blood."""
    index = np.argwhere(shape) + [s.start for s in found] + [s.start or 0 for s in box]
    volume_ml = float(volume.voxel_volumes_mm3[index[:, 2]].sum()) / 1000
    hu = float(np.percentile(smooth[shape], 95))
    if volume_ml * 1000 < SPECK_MM3 or hu > DENSE_HU:
        return None
    spacing = volume.pixel_spacing_mm
    padded = np.pad(shape, ((1, 1), (1, 1), (0, 0)))
    radii = [
        ndimage.distance_transform_edt(padded[:, :, k], sampling=spacing).max()
        for k in range(shape.shape[2])
    ]
    if max(radii) > THICK_MM:
        return None
    world = volume.index_to_world(index)
    length = float(np.linalg.norm(np.ptp(world, axis=0)))
    cells = np.unique(np.floor(world / CELL_MM).astype(int), axis=0)
    return Tube(length, volume_ml, hu, frozenset(map(tuple, cells.tolist())))
