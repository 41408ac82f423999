"""The default anatomy: the MNI template that nilearn carries, with a procedural head around it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from strokediff.phantom.anatomy import Atlas, build_atlas
from strokediff.phantom.fields import Field
from strokediff.phantom.head import ProceduralHead
from strokediff.util.extras import require

LOWEST_MM, HIGHEST_MM, FRONT_MM, SIDE_MM = -98, 100, 114, 92
"""How far the grid reaches, MNI mm: face, vertex and neck fit in it."""


class WheelSource:
    """The default anatomy: the MNI templates that nilearn carries."""

    name = "mni152-nilearn"

    def load(self) -> Atlas:
        """The template's atlas, built once a process."""
        return wheel_atlas()


@lru_cache(maxsize=1)
def wheel_atlas() -> Atlas:
    """The MNI ICBM152 templates inside the nilearn wheel, with a procedural skull and face."""
    datasets = require("nilearn.datasets", "phantom")
    images = [
        load(resolution=1)
        for load in (datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    ]
    origin = images[0].affine[:3, 3]
    grey, white = (extend(image.get_fdata(dtype=np.float32), origin) for image in images)
    shape = grey.shape
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    x, y, z = (
        np.asarray(axis + start, dtype=np.float32)
        for axis, start in zip((x, y, z), (-SIDE_MM, int(origin[1]), LOWEST_MM), strict=True)
    )
    return build_atlas(WheelSource.name, x, y, z, grey, white, None, ProceduralHead())


def extend(data: Field, origin: NDArray[np.float64]) -> Field:
    """Crop and pad the template so that face, vertex and neck fit."""
    low = int(origin[2]) - LOWEST_MM
    top = HIGHEST_MM - LOWEST_MM + 1
    front = FRONT_MM - int(origin[1]) + 1
    side = -int(origin[0]) - SIDE_MM
    out = np.zeros((data.shape[0] - 2 * side, front, top), dtype=np.float32)
    kept = data[side : data.shape[0] - side, :front, : top - low]
    out[:, : kept.shape[1], low : low + kept.shape[2]] = kept
    return out
