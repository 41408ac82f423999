"""What the image says about each pixel, on a coarse in-plane grid of about 1.1 mm.

The coarse grid is cropped to the head. A neighbour slice's contour and the contour's length are
added by `propagate`; this file looks at Hounsfield units alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.data.volume import Volume

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

PITCH_MM = 1.1
"""In-plane pitch that the coarse grid aims at."""
AIR_HU = -1000.0
"""Everything below is padding and is read as air."""
HEAD_HU = -300.0
BONE_HU = 150.0
FAT_HU = -25.0
EDGE_HU = 110.0
"""Where brain ends and the inner table begins: halfway between them after windowing at 0-200 HU."""

COST_HU = (-80.0, -40.0, FAT_HU, -10.0, 0.0, 80.0, EDGE_HU, 150.0, 300.0)
COST = (2.0, 1.0, 0.0, -0.7, -1.0, -1.0, 0.0, 1.5, 3.0)
"""Price of the label "intracranial" by HU: tissue, CSF and blood (0-80 HU) pay -1."""


@dataclass(frozen=True)
class Grid:
    """Coarse grid: block (bx, by) native pixels a cell, from native pixel (x0, y0); pitch in mm."""

    origin: tuple[int, int]
    block: tuple[int, int]
    shape: tuple[int, int]
    pitch_mm: tuple[float, float]

    @property
    def mean_pitch_mm(self) -> float:
        """Geometric mean of the two pitches, mm."""
        return float(np.sqrt(self.pitch_mm[0] * self.pitch_mm[1]))

    @property
    def cell_mm2(self) -> float:
        """Area of a cell, mm^2."""
        return self.pitch_mm[0] * self.pitch_mm[1]


@dataclass(frozen=True)
class Evidence:
    """Per coarse voxel: mean HU, inside the head, bone, and the share of rays that meet bone."""

    grid: Grid
    hu: Array
    head: Mask
    bone: Mask
    enclosure: Array


def coarse_evidence(volume: Volume) -> Evidence | None:
    """Reduce `volume` to its head on the coarse grid; None if nothing in it is denser than air."""
    hu, grid = _reduce(volume)
    found = _crop_to_head(hu, grid)
    if found is None:
        return None
    hu, head, grid = found
    bone = head & (hu > BONE_HU)
    return Evidence(grid=grid, hu=hu, head=head, bone=bone, enclosure=enclosure(bone))


def hu_cost(hu: Array) -> Array:
    """Price of calling a pixel intracranial, by its HU: below 0 in favour."""
    return np.interp(hu, COST_HU, COST).astype(np.float32)


def ball(radius_mm: float, pitch_mm: tuple[float, float]) -> Mask:
    """Disc of `radius_mm` on a grid of `pitch_mm`, as a structuring element."""
    rx, ry = (int(radius_mm / p) for p in pitch_mm)
    x, y = np.mgrid[-rx : rx + 1, -ry : ry + 1]
    return (x * pitch_mm[0]) ** 2 + (y * pitch_mm[1]) ** 2 <= radius_mm**2


def enclosure(bone: Mask, turns: int = 4) -> Array:
    """Share of 4 x `turns` in-plane rays from each pixel that meet bone before the image ends."""
    hits = np.zeros(bone.shape, dtype=np.float32)
    for turn in range(turns):
        angle = 90.0 * turn / turns
        hits += _turned_back(_axis_hits(_turned(bone, angle)), angle, bone.shape)
    return hits / (4 * turns)


def _axis_hits(bone: Mask) -> Array:
    hits = np.zeros(bone.shape, dtype=np.float32)
    for axis in (0, 1):
        for line in (bone, np.flip(bone, axis)):
            met = np.logical_or.accumulate(line, axis=axis)
            hits += met if line is bone else np.flip(met, axis)
    return hits


def _turned(bone: Mask, angle: float) -> Mask:
    if angle == 0:
        return bone
    soft = bone.astype(np.float32)
    return ndimage.rotate(soft, angle, axes=(0, 1), order=1, prefilter=False) > 0.3


def _turned_back(hits: Array, angle: float, shape: tuple[int, ...]) -> Array:
    if angle == 0:
        return hits
    back = ndimage.rotate(hits, -angle, axes=(0, 1), order=1, prefilter=False)
    x0, y0 = ((b - s) // 2 for b, s in zip(back.shape[:2], shape[:2], strict=True))
    return back[x0 : x0 + shape[0], y0 : y0 + shape[1]]


def _reduce(volume: Volume) -> tuple[Array, Grid]:
    """Mean HU of blocks of native pixels; a rest at the far edge is padded with air."""
    spacing = volume.pixel_spacing_mm
    block = tuple(max(1, round(PITCH_MM / s)) for s in spacing)
    shape = tuple(-(-n // b) for n, b in zip(volume.hu.shape[:2], block, strict=True))
    padded = np.full((shape[0] * block[0], shape[1] * block[1], volume.hu.shape[2]), AIR_HU, "f4")
    padded[: volume.hu.shape[0], : volume.hu.shape[1]] = np.maximum(volume.hu, AIR_HU)
    blocks = padded.reshape(shape[0], block[0], shape[1], block[1], -1)
    grid = Grid(
        origin=(0, 0),
        block=(block[0], block[1]),
        shape=(shape[0], shape[1]),
        pitch_mm=(spacing[0] * block[0], spacing[1] * block[1]),
    )
    return blocks.mean(axis=(1, 3), dtype=np.float32), grid


def _crop_to_head(hu: Array, grid: Grid, margin_mm: float = 6.0) -> tuple[Array, Mask, Grid] | None:
    """Largest thing denser than air, without the table, and the box around it."""
    disc = ball(3.0, grid.pitch_mm)[:, :, None]
    body = ndimage.binary_opening(hu > HEAD_HU, structure=disc)
    labels, count = ndimage.label(body)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    head = labels == sizes.argmax()
    box = ndimage.find_objects(head.any(axis=2).astype(int))[0]
    margin = [int(np.ceil(margin_mm / p)) for p in grid.pitch_mm]
    start = [max(0, s.start - m) for s, m in zip(box, margin, strict=True)]
    stop = [min(n, s.stop + m) for s, m, n in zip(box, margin, hu.shape, strict=False)]
    window = (slice(start[0], stop[0]), slice(start[1], stop[1]))
    cropped = Grid(
        origin=(start[0] * grid.block[0], start[1] * grid.block[1]),
        block=grid.block,
        shape=(stop[0] - start[0], stop[1] - start[1]),
        pitch_mm=grid.pitch_mm,
    )
    head = head[window].copy()
    for k in range(head.shape[2]):
        head[:, :, k] = ndimage.binary_fill_holes(head[:, :, k])
    return np.ascontiguousarray(hu[window]), head, cropped
