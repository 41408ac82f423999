"""Distances between the surfaces of two masks, in millimetres.

Definitions:

- The surface of a mask is its voxels that have at least one of their 6 face neighbours outside the
  mask; beyond the edge of the image counts as outside.
- A surface voxel stands at its centre in the world, `affine @ (i, j, k, 1)`. Distances are
  Euclidean between those points, so they are exact on anisotropic, oblique and sheared
  (gantry-tilted) grids. A distance transform with a spacing would be wrong on a sheared one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class SurfaceDistances:
    """The distance, in mm, of each surface voxel of one mask to the other's nearest one."""

    pred_to_true_mm: NDArray[np.float64]
    true_to_pred_mm: NDArray[np.float64]

    def hausdorff_mm(self, percentile: float = 100.0) -> float:
        """max(P_q(d(a, B)), P_q(d(b, A))): the larger of the two directed percentiles.

        `percentile` 100 is the Hausdorff distance and 95 is HD95; percentiles interpolate linearly.
        """
        directed = (self.pred_to_true_mm, self.true_to_pred_mm)
        return float(max(np.percentile(d, percentile) for d in directed))


def surface_distances(
    *, mask_pred: NDArray[np.bool_], mask_true: NDArray[np.bool_], affine: NDArray[np.float64]
) -> SurfaceDistances:
    """Both directed sets of distances between two masks (X, Y, Z), neither of them empty."""
    if not (mask_pred.any() and mask_true.any()):
        raise ValueError("a distance between surfaces needs two masks that are not empty")
    points_pred = surface_points_mm(mask_pred, affine)
    points_true = surface_points_mm(mask_true, affine)
    return SurfaceDistances(
        pred_to_true_mm=cKDTree(points_true).query(points_pred)[0],
        true_to_pred_mm=cKDTree(points_pred).query(points_true)[0],
    )


def surface_points_mm(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """World coordinates (N, 3), mm, of the surface voxels of `mask` (X, Y, Z)."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    inside = mask[box]
    surface = inside & ~ndimage.binary_erosion(inside, border_value=0)
    indices = np.argwhere(surface) + [s.start for s in box]
    return np.asarray(indices @ affine[:3, :3].T + affine[:3, 3])


def box_diagonal_mm(shape: tuple[int, ...], affine: NDArray[np.float64]) -> float:
    """Longest diagonal, mm, of the box that the voxels fill, each counted to its faces.

    On an orthogonal grid, sqrt(sum_i (n_i s_i)^2) for n voxels of spacing s. It exceeds every
    distance between two voxels of the image, so it is the worst value a distance can take.
    """
    edges = affine[:3, :3] * np.asarray(shape, dtype=np.float64)
    signs = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1]], dtype=np.float64)
    return float(np.linalg.norm(signs @ edges.T, axis=1).max())
