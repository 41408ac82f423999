"""What the image says about each pixel, on a coarse grid of about 1.1 mm in slabs of about 2.5 mm.

The coarse grid is cropped to the head. A neighbour slab's contour and the contour's length are
added by `propagate`; this file looks at Hounsfield units alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import AIR_HU, BONE_HU, HEAD_HU, Array, Mask
from strokediff.ct.brain.quieten import quieten
from strokediff.ct.brain.shapes import mix, slab_middles_mm
from strokediff.ct.volume import CT

Index = NDArray[np.int_]

PITCH_MM = 1.1
"""In-plane pitch that the coarse grid aims at."""
SLAB_MM = 2.5
"""Thinner slices are averaged to slabs of about this, which takes their noise away."""
PADDING_HU = -950.0
"""Padding of the field of view is not denser."""
LARGE_PART, IN_COLUMN = 0.05, 0.7
"""Share of the head's largest part that another has at least, and of it that lies in its column."""
FAT_HU = -25.0
FAT_DEEP_HU = -60.0
EDGE_HU = 110.0
"""Where brain ends and the inner table begins: halfway between them after windowing at 0-200 HU."""

COST_HU = (-80.0, -40.0, FAT_HU, -10.0, 0.0, 80.0, EDGE_HU, 150.0, 300.0)
COST = (2.0, 1.0, 0.0, -0.7, -1.0, -1.0, 0.0, 1.5, 3.0)
"""Price of the label "intracranial" by HU: tissue, CSF and blood (0-80 HU) pay -1."""

FAR_PRICE = 2.2
"""What a pixel pays that cannot be intracranial: it outweighs tissue's -1."""
ENCLOSED, OPEN = 0.55, 0.4
"""Share of rays that meet bone, below which a pixel begins to pay, and pays in full.

Half of them, on the chord across a gap in the skull: a defect is closed by a straight line."""
FAT_PRICE = 0.8
FAT_REACH_MM = 2.5
"""Fat and air lie outside the skull: tissue this close to them with no bone between pays."""


@dataclass(frozen=True)
class CoarseGrid:
    """Coarse grid: a cell is a block of (bx, by, bz) native voxels; the first begins at `origin`.

    `pitch_mm` is in-plane.
    """

    origin: tuple[int, int, int]
    block: tuple[int, int, int]
    pitch_mm: tuple[float, float]

    @property
    def cell_mm2(self) -> float:
        """Area of a cell, mm^2."""
        return self.pitch_mm[0] * self.pitch_mm[1]


@dataclass(frozen=True)
class Evidence:
    """Per coarse voxel: mean HU, inside the head, the share of rays that meet bone, the price.

    `cost` is the price of the label "intracranial" before a neighbour's contour is known.
    `unusable` slabs have no good slice, their HU are mixed from those beside them; `noisy` ones
    were smoothed.
    """

    grid: CoarseGrid
    hu: Array
    head: Mask
    enclosure: Array
    cost: Array
    unusable: frozenset[int] = frozenset()
    noisy: frozenset[int] = frozenset()


def coarse_evidence(volume: CT, left_out: Collection[int] = ()) -> Evidence | None:
    """Reduce `volume` to its head on the coarse grid; None if nothing in it is denser than air.

    The slices `left_out` count for nothing.
    """
    hu, grid = _reduce(volume)
    unusable: frozenset[int] = frozenset()
    if left_out:
        hu, unusable = _without(hu, grid, volume, left_out)
    hu, noisy = quieten(hu)
    found = _crop_to_head(hu, grid)
    if found is None:
        return None
    hu, head, grid = found
    rays = enclosure(head & (hu > BONE_HU))
    cost = hu_cost(hu) + FAR_PRICE * np.clip((ENCLOSED - rays) / (ENCLOSED - OPEN), 0, 1)
    cost[_beside_fat(hu, grid)] += FAT_PRICE
    cost[~head] = FAR_PRICE
    return Evidence(grid, hu, head, rays, cost.astype(np.float32), unusable, noisy)


def hu_cost(hu: Array) -> Array:
    """Price of calling a pixel intracranial, by its HU: below 0 in favour."""
    return np.interp(hu, COST_HU, COST).astype(np.float32)


def disc(radius_mm: float, pitch_mm: tuple[float, float]) -> Mask:
    """Disc of `radius_mm` on a grid of `pitch_mm`, as a structuring element."""
    rx, ry = (int(radius_mm / p) for p in pitch_mm)
    x, y = np.mgrid[-rx : rx + 1, -ry : ry + 1]
    return np.asarray((x * pitch_mm[0]) ** 2 + (y * pitch_mm[1]) ** 2 <= radius_mm**2)


def padding_in(hu: Array) -> Mask:
    """Pixels (X, Y) that are padding, or air, in every slice of hu (X, Y, Z)."""
    return np.asarray(np.all(hu <= max(PADDING_HU, float(hu.min())), axis=2))


def enclosure(bone: Mask, turns: int = 4) -> Array:
    """Share of 4 x `turns` in-plane rays from each pixel that meet bone before the image ends."""
    hits = np.zeros(bone.shape, dtype=np.float32)
    for turn in range(turns):
        (tx, ty), (bx, by) = _turn(bone.shape, 90.0 * turn / turns)
        turned = bone[tx, ty] & (tx >= 0)[:, :, None]
        hits += _axis_hits(turned)[bx, by]
    return hits / np.float32(4 * turns)


def _beside_fat(hu: Array, grid: CoarseGrid) -> Mask:
    """Cells within FAT_REACH_MM of fat or air in their slab, going around bone."""
    steps = max(1, round(FAT_REACH_MM / float(np.mean(grid.pitch_mm))))
    cross = ndimage.generate_binary_structure(2, 1)[:, :, None]
    fat = hu < FAT_DEEP_HU
    return np.asarray(
        ndimage.binary_dilation(fat, cross, iterations=steps, mask=hu < EDGE_HU) & ~fat
    )


def _axis_hits(bone: Mask) -> Array:
    hits = np.zeros(bone.shape, dtype=np.float32)
    for axis in (0, 1):
        for line in (bone, np.flip(bone, axis)):
            met = np.logical_or.accumulate(line, axis=axis)
            hits += met if line is bone else np.flip(met, axis)
    return hits


def _turn(shape: tuple[int, ...], angle: float) -> tuple[Index, Index]:
    """Nearest cells of a turned grid in the straight one (-1 outside), and of the straight in it.

    Both are (2, X, Y) indices; the turned grid is a square that holds the straight one.
    """
    size = int(np.ceil(np.hypot(shape[0], shape[1]))) + 1
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rotation = np.array([[c, -s], [s, c]])
    turned = np.moveaxis(np.indices((size, size)), 0, -1) - (size - 1) / 2
    straight = np.moveaxis(np.indices(shape[:2]), 0, -1) - (np.array(shape[:2]) - 1) / 2
    into = np.rint(turned @ rotation + (np.array(shape[:2]) - 1) / 2).astype(int)
    back = np.rint(straight @ rotation.T + (size - 1) / 2).astype(int)
    into[((into < 0) | (into >= shape[:2])).any(-1)] = -1
    return np.moveaxis(into, -1, 0), np.moveaxis(back, -1, 0)


def _reduce(volume: CT) -> tuple[Array, CoarseGrid]:
    """Mean HU of blocks of native voxels; a rest at the far end is padded with its last layer."""
    *spacing, increment = volume.spacing_mm
    bx, by = (max(1, round(PITCH_MM / s)) for s in spacing)
    bz = max(1, round(SLAB_MM / increment))
    grid = CoarseGrid(
        origin=(0, 0, 0), block=(bx, by, bz), pitch_mm=(spacing[0] * bx, spacing[1] * by)
    )
    return _block_means(volume.hu, grid.block), grid


def _block_means(hu: Array, block: tuple[int, int, int]) -> Array:
    bx, by, bz = block
    hu = np.maximum(hu, AIR_HU)
    rest = [-n % b for n, b in zip(hu.shape, block, strict=True)]
    if any(rest):
        hu = np.pad(hu, [(0, r) for r in rest], mode="edge")
    nx, ny, nz = (n // b for n, b in zip(hu.shape, block, strict=True))
    blocks = hu.reshape(nx, bx, ny, by, nz, bz)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float32))


def _without(
    hu: Array, grid: CoarseGrid, volume: CT, left_out: Collection[int]
) -> tuple[Array, frozenset[int]]:
    """Slabs averaged over their good slices only, and which have none: those are mixed."""
    (bx, by, bz), count = grid.block, volume.hu.shape[2]
    reduced, unusable = hu.copy(), set()
    for slab in {k // bz for k in left_out}:
        good = [k for k in range(slab * bz, min(count, (slab + 1) * bz)) if k not in left_out]
        if good:
            means = _block_means(volume.hu[:, :, good], (bx, by, len(good)))
            reduced[:, :, slab] = means[:, :, 0]
        else:
            unusable.add(slab)
    middles = slab_middles_mm(volume.slice_increments_mm, bz)
    return mix(reduced, unusable, middles), frozenset(unusable)


def _whole(labels: NDArray[np.int32]) -> Mask:
    """The largest part, and large ones above or below it that an unusable slab cuts off."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    head = labels == sizes.argmax()
    column = head.any(axis=2)
    for part in np.flatnonzero(sizes > LARGE_PART * sizes.max()):
        other = labels == part
        seen = other.any(axis=2)
        if np.count_nonzero(seen & column) > IN_COLUMN * np.count_nonzero(seen):
            head |= other
    return np.asarray(head)


def _crop_to_head(
    hu: Array, grid: CoarseGrid, margin_mm: float = 6.0
) -> tuple[Array, Mask, CoarseGrid] | None:
    """Largest thing denser than air, without the table, and the box around it."""
    body = ndimage.binary_opening(hu > HEAD_HU, structure=disc(3.0, grid.pitch_mm)[:, :, None])
    labels, count = ndimage.label(body)
    if count == 0:
        return None
    head = _whole(labels)
    box = ndimage.find_objects(head.any(axis=2).astype(int))[0]
    margin = [int(np.ceil(margin_mm / p)) for p in grid.pitch_mm]
    start = [max(0, s.start - m) for s, m in zip(box, margin, strict=True)]
    window = tuple(slice(a, s.stop + m) for a, s, m in zip(start, box, margin, strict=True))
    origin = (start[0] * grid.block[0], start[1] * grid.block[1], 0)
    head = head[window].copy()
    for k in range(head.shape[2]):
        head[:, :, k] = ndimage.binary_fill_holes(head[:, :, k])
    return np.ascontiguousarray(hu[window]), head, replace(grid, origin=origin)
