"""On which side of the head something lies: left and right of the plane between the hemispheres."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.grid import GridConfig, SliceGrid, centre_of
from strokediff.ct.midline import find_midline
from strokediff.ct.volume import CT

Side = Literal["left", "right", "both"]
GRID = GridConfig(size=96, spacing_mm=2.0)
MOSTLY = 0.9
"""Of the volume; with less on either side it is on both."""


def right_half(ct: CT, brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a voxel lies on the patient's right, (X, Y, Z): beyond `find_midline`'s plane."""
    image = SliceGrid(GRID, ct, brain).image(ct.hu)
    line = find_midline(image.x, image.m)
    x, y, z = np.ogrid[: brain.shape[0], : brain.shape[1], : brain.shape[2]]
    (cx, cy), (sx, sy) = centre_of(brain), ct.pixel_spacing_mm
    turn = np.deg2rad(line.angle)
    across = np.cos(turn) * (x - cx) * sx + np.sin(turn) * (y - cy) * sy
    along = z / max(1, brain.shape[2] - 1) - 0.5
    side_mm = GRID.size * GRID.spacing_mm
    return np.asarray(across > (line.offset + line.slope * along) * side_mm)


def side_of(
    mask: NDArray[np.bool_], right: NDArray[np.bool_], voxel_mm3: NDArray[np.float64]
) -> Side | None:
    """Where nine tenths of a mask or more lie; None of an empty one.

    `right` is `right_half` of the brain, `voxel_mm3` (Z,) the volume of a voxel of each slice.

    >>> mask, right = np.zeros((2, 4, 5, 3), dtype=bool)
    >>> mask[3], right[2:] = True, True
    >>> side_of(mask, right, np.ones(3)), side_of(mask[::-1], right, np.ones(3))
    ('right', 'left')
    """
    total = float(mask.sum(axis=(0, 1)) @ voxel_mm3)
    if not total:
        return None
    share = float((mask & right).sum(axis=(0, 1)) @ voxel_mm3) / total
    return "right" if share >= MOSTLY else "left" if share <= 1 - MOSTLY else "both"
