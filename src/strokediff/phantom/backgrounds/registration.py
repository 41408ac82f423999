"""Where a head lies in MNI space: an affine map found from its brain mask and its fluid.

Least squares over points of the head: the distance to the inner table and the share of fluid, both
smooth, are to be those of the template at the mapped point. The head may be turned, rolled and
nodded, so several starts are tried on few points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from strokediff.phantom.anatomy import Atlas
from strokediff.phantom.fields import Field

Array = NDArray[np.float64]
NEAR_MM, DEEP_MM = 10.0, 25.0
"""Distances to the inner table are cut off this far outside and inside."""
FLUID_WEIGHT = 1.2
SCALE_SD, SHEAR_SD = 0.12, 0.04
"""How much heads differ from the template in size along an axis, and in shear."""
STARTS_DEG = (-20.0, 0.0, 20.0)
COARSE_POINTS, FINE_POINTS = 1500, 8000


@dataclass(frozen=True)
class Landmarks:
    """Points (N, 3) in mm with the depth inside the inner table in mm and the share of fluid."""

    points: Array
    depth_mm: Array
    fluid: Array

    def thinned(self, count: int) -> Landmarks:
        """Every n-th point, so that about `count` remain."""
        step = max(1, len(self.points) // count)
        return Landmarks(self.points[::step], self.depth_mm[::step], self.fluid[::step])


@dataclass(frozen=True)
class Template:
    """What the landmarks are compared with, on a coarse MNI grid."""

    channels: Field
    origin: Array
    step: float

    @classmethod
    def of(cls, atlas: Atlas, step: int = 3) -> Template:
        """Depth and fluid of an atlas, smoothed to `step` mm and more."""
        origin = np.array([float(axis.ravel()[0]) for axis in (atlas.x, atlas.y, atlas.z)])
        fluid = np.clip(1 - atlas.grey - atlas.white, 0, 1) * (atlas.depth < 0)
        maps = (shown_depth(-atlas.depth), ndimage.gaussian_filter(fluid, 3.0))
        return cls(np.stack([m[::step, ::step, ::step] for m in maps]), origin, float(step))

    def at(self, mni_mm: Array) -> Array:
        """Channels (2, N) at points (N, 3)."""
        index = ((mni_mm - self.origin) / self.step).T
        return np.stack(
            [ndimage.map_coordinates(c, index, order=1, mode="nearest") for c in self.channels]
        )


def shown_depth(depth_mm: Field) -> Field:
    """Depth as it is compared: cut off, of unit size."""
    return np.asarray(np.clip(depth_mm, -NEAR_MM, DEEP_MM) / 10.0)


def matrix_of(parameters: Array) -> Array:
    """(4, 4) from rotation vector, logarithms of the scales, shears and shift: x -> R U x + b."""
    turn = Rotation.from_rotvec(parameters[:3]).as_matrix()
    upper = np.diag(np.exp(parameters[3:6]))
    upper[0, 1], upper[0, 2], upper[1, 2] = parameters[6:9]
    made = np.eye(4)
    made[:3, :3] = turn @ upper
    made[:3, 3] = parameters[9:] * 10.0
    return made


def register(head: Landmarks, template: Template) -> Array:
    """The affine (4, 4) from the head's mm to MNI mm that fits best."""
    inside = head.depth_mm > 0
    centre = head.points[inside].mean(axis=0)
    moved = Landmarks(head.points - centre, head.depth_mm, head.fluid)
    coarse, fine = moved.thinned(COARSE_POINTS), moved.thinned(FINE_POINTS)
    starts = [_start(turns) for turns in product((0.0,), STARTS_DEG, STARTS_DEG)]
    tried = sorted((_fit(coarse, template, start, 4) for start in starts), key=lambda fit: fit[1])
    found = [_fit(coarse, template, start, 20) for start, _ in tried[:2]]
    best = min(found, key=lambda fit: fit[1])[0]
    matrix = matrix_of(_fit(fine, template, best, 12)[0])
    back = np.eye(4)
    back[:3, 3] = -centre
    return np.asarray(matrix @ back)


def _start(turns_deg: Sequence[float]) -> Array:
    parameters = np.zeros(12)
    parameters[:3] = Rotation.from_euler("xyz", turns_deg, degrees=True).as_rotvec()
    parameters[9:] = (0.0, -1.8, 0.8)  # the middle of a brain, cm in MNI space
    return parameters


def _fit(
    head: Landmarks, template: Template, start: Array, evaluations: int
) -> tuple[Array, float]:
    depth, size = shown_depth(head.depth_mm), np.sqrt(len(head.points))

    def misfit(parameters: Array) -> Array:
        matrix = matrix_of(parameters)
        seen = template.at(head.points @ matrix[:3, :3].T + matrix[:3, 3])
        fluid = FLUID_WEIGHT * (seen[1] - head.fluid) * (depth > 0)
        prior = np.concatenate([parameters[3:6] / SCALE_SD, parameters[6:9] / SHEAR_SD])
        return np.concatenate([(seen[0] - depth) / size, fluid / size, 0.02 * prior])

    answer = least_squares(misfit, start, max_nfev=evaluations, x_scale="jac", ftol=1e-5, xtol=1e-4)
    return np.asarray(answer.x), float(answer.cost)
