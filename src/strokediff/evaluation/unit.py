"""The unit of distances and volumes, for images whose spacing is unknown."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

PIXEL_COLUMNS = {
    "hd_mm": "hd_px",
    "hd95_mm": "hd95_px",
    "volume_pred_ml": "volume_pred_px",
    "volume_true_ml": "volume_true_px",
}


class Unit(StrEnum):
    """MM: millimetres and mL. PX: pixels of a slice, and counts of them.

    In PX a step along the slice is 1; a step between slices is what the stored affine, though
    nominal, says in pixels (5 mm slices of 0.45 mm pixels: 11). A volume is the mask's count.
    """

    MM = "mm"
    PX = "px"

    def column(self, metric: str) -> str:
        """The name of a metric's column."""
        return metric if self is Unit.MM else PIXEL_COLUMNS.get(metric, metric)

    def scaled(self, affine: NDArray[np.float64]) -> NDArray[np.float64]:
        """The affine (4, 4) from indices to mm, or to pixels."""
        if self is Unit.MM:
            return affine
        scaled = affine.copy()
        scaled[:3] /= in_plane_pixel_mm(affine)
        return scaled

    def volume(self, voxels: int, affine: NDArray[np.float64]) -> float:
        """mL of a number of voxels, or the number."""
        if self is Unit.PX:
            return float(voxels)
        return voxels * (abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0)


def in_plane_pixel_mm(affine: NDArray[np.float64]) -> float:
    """Side of a pixel of an axial slice: geometric mean, without the axis nearest to the body's."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    slices = int(np.argmax(np.abs(affine[2, :3]) / lengths))
    return float(np.sqrt(np.prod(np.delete(lengths, slices))))
