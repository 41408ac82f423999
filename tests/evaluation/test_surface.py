"""Laws: distances between surfaces are Euclidean in the world, whatever the grid.

Every golden number is computed by hand in the comment beside it.
"""

import numpy as np
import pytest
from scipy import ndimage

from strokediff.evaluation.surface import (
    SurfaceDistances,
    box_diagonal_mm,
    surface_distances,
    surface_points_mm,
)


def affine_of(*spacing_mm):
    return np.diag([*spacing_mm, 1.0])


def box(shape, *ranges):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(*r) for r in ranges)] = True
    return mask


def ball(shape, centre_mm, radius_mm, spacing_mm):
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    squared = sum((a * s - c) ** 2 for a, s, c in zip(axes, spacing_mm, centre_mm, strict=True))
    return squared <= radius_mm**2


def test_surface_is_the_voxels_with_an_open_face():
    mask = box((9, 9, 9), (2, 7), (2, 7), (2, 7))
    points = surface_points_mm(mask, np.eye(4))
    assert len(points) == 5**3 - 3**3  # all but the inner 3 x 3 x 3
    assert points.min() == 2 and points.max() == 6


def test_the_edge_of_the_image_counts_as_outside():
    mask = np.ones((4, 4, 4), dtype=bool)
    assert len(surface_points_mm(mask, np.eye(4))) == 4**3 - 2**3


@pytest.mark.parametrize(
    ("axis", "distance_mm"),
    [(0, 0.5 * 4), (1, 0.7 * 4), (2, 5.0 * 4)],  # 4 voxels along an axis of known spacing
)
def test_two_voxels_apart_along_each_axis_of_an_anisotropic_grid(axis, distance_mm):
    a, b = np.zeros((2, 9, 9, 9), dtype=bool)
    a[2, 2, 2] = True
    b[tuple(6 if i == axis else 2 for i in range(3))] = True
    d = surface_distances(mask_pred=a, mask_true=b, affine=affine_of(0.5, 0.7, 5.0))
    assert d.hausdorff_mm() == pytest.approx(distance_mm)
    assert d.hausdorff_mm(95) == pytest.approx(distance_mm)


def test_hd95_of_a_line_against_its_first_voxel():
    # Prediction: 21 voxels in a row, 2 mm apart; truth: the first one. Directed distances of the
    # prediction: 0, 2, ..., 40 mm, whose 95th percentile is 0.95 * 40 = 38 mm; of the truth: 0.
    pred, true = box((25, 3, 3), (0, 21), (1, 2), (1, 2)), box((25, 3, 3), (0, 1), (1, 2), (1, 2))
    d = surface_distances(mask_pred=pred, mask_true=true, affine=affine_of(2.0, 1.0, 1.0))
    assert d.hausdorff_mm() == pytest.approx(40.0)
    assert d.hausdorff_mm(95) == pytest.approx(38.0)


def test_the_larger_of_the_two_directed_percentiles_is_taken():
    # 100 near and 3 far: pooled, the 95th percentile would be 0; directed, it is not.
    d = SurfaceDistances(pred_to_true_mm=np.zeros(100), true_to_pred_mm=np.full(3, 9.0))
    assert d.hausdorff_mm(95) == 9.0


def test_concentric_balls_on_an_anisotropic_grid():
    # Radii 12 and 8 mm: the surfaces are 4 mm apart, to within one voxel's diagonal.
    spacing = (0.5, 0.5, 2.5)
    shape, centre = (61, 61, 13), (15.0, 15.0, 15.0)
    d = surface_distances(
        mask_pred=ball(shape, centre, 12.0, spacing),
        mask_true=ball(shape, centre, 8.0, spacing),
        affine=affine_of(*spacing),
    )
    assert d.hausdorff_mm() == pytest.approx(4.0, abs=np.linalg.norm(spacing))
    assert d.hausdorff_mm(95) <= d.hausdorff_mm()


def test_a_sheared_grid_is_measured_in_the_world():
    # Gantry tilt: each slice is 5 mm above the last and 2 mm further forward. Voxels (0, 2, 0) and
    # (0, 0, 1) are (0, 2 - 2, -5) mm apart, 5 mm; a plain spacing would say sqrt(2^2 + 29) mm.
    affine = np.eye(4)
    affine[:3, 2] = (0.0, 2.0, 5.0)
    a, b = np.zeros((2, 3, 3, 3), dtype=bool)
    a[0, 2, 0] = b[0, 0, 1] = True
    d = surface_distances(mask_pred=a, mask_true=b, affine=affine)
    assert d.hausdorff_mm() == pytest.approx(5.0)


def test_agrees_with_scipys_distance_transform_on_orthogonal_grids():
    rng = np.random.default_rng(5)
    spacing = (0.6, 0.9, 4.0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(2, 24, 22, 9)), (0, 3, 3, 1))
    pred, true = smooth > 0.03
    d = surface_distances(mask_pred=pred, mask_true=true, affine=affine_of(*spacing))
    edges = [m & ~ndimage.binary_erosion(m) for m in (pred, true)]
    to_true, to_pred = (
        ndimage.distance_transform_edt(~e, sampling=spacing) for e in (edges[1], edges[0])
    )
    np.testing.assert_allclose(np.sort(d.pred_to_true_mm), np.sort(to_true[edges[0]]))
    np.testing.assert_allclose(np.sort(d.true_to_pred_mm), np.sort(to_pred[edges[1]]))


def test_empty_masks_are_the_callers_business():
    empty, full = np.zeros((3, 3, 3), dtype=bool), np.ones((3, 3, 3), dtype=bool)
    with pytest.raises(ValueError, match="not empty"):
        surface_distances(mask_pred=empty, mask_true=full, affine=np.eye(4))


def test_box_diagonal():
    # 30 x 40 mm in plane and 120 mm high: sqrt(900 + 1600 + 14400) = 130 mm.
    assert box_diagonal_mm((30, 20, 24), affine_of(1.0, 2.0, 5.0)) == pytest.approx(130.0)


def test_box_diagonal_of_a_sheared_box_is_the_longest():
    affine = np.eye(4)
    affine[:3, 2] = (-1.0, 0.0, 1.0)
    # Edges (1, 0, 0), (0, 1, 0), (-1, 0, 1): the longest is e0 + e1 - e2 = (2, 1, -1), sqrt(6).
    assert box_diagonal_mm((1, 1, 1), affine) == pytest.approx(np.sqrt(6.0))
