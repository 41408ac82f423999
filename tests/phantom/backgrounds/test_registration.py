"""Laws of the registration: a template head moved by a known map is found, from afar too."""

import numpy as np
import pytest
from scipy import ndimage

from strokediff.phantom.backgrounds.head import template
from strokediff.phantom.backgrounds.registration import Landmarks, matrix_of, register
from strokediff.phantom.deform import CENTRE_MM, head_matrix
from strokediff.phantom.params import draw_parameters
from strokediff.phantom.template import wheel_atlas


def template_points():
    """Points every 8 mm of the template with their depth and fluid."""
    atlas = wheel_atlas()
    s = slice(2, None, 8)
    grid = np.stack(
        np.meshgrid(atlas.x.ravel()[s], atlas.y.ravel()[s], atlas.z.ravel()[s], indexing="ij"), -1
    )
    depth = -atlas.depth[s, s, s]
    fluid = np.clip(1 - atlas.grey - atlas.white, 0, 1) * (atlas.depth < 0)
    fluid = ndimage.gaussian_filter(fluid, 3.0)[s, s, s]
    near = (depth > -10) & (grid[..., 2] > -50)
    return grid[near].astype(np.float64), depth[near], fluid[near]


@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (10, 15, -25), (-12, -20, 18)])
def test_a_moved_template_is_found(turn_deg):
    """World = M^-1 MNI for a drawn M: register gives M back to 2 mm in the brain."""
    points, depth, fluid = template_points()
    rng = np.random.default_rng(0)
    parameters = np.zeros(12)
    parameters[:3] = np.deg2rad(turn_deg)
    parameters[3:6] = rng.normal(0.1, 0.05, 3)
    parameters[9:] = (3.0, -8.0, 14.0)
    moved = matrix_of(parameters)
    order = rng.permutation(len(points))
    world = (points - moved[:3, 3]) @ np.linalg.inv(moved[:3, :3]).T
    found = register(Landmarks(world[order], depth[order], fluid[order]), template())
    seen = world @ found[:3, :3].T + found[:3, 3]
    error = np.linalg.norm(seen - points, axis=1)[depth > 0]
    assert error.mean() < 2.0
    assert np.percentile(error, 95) < 4.0


def test_a_head_is_laid_on_the_template(healthy, head):
    """From the image alone, the drawn pose and size of the phantom are found to some mm."""
    subject = draw_parameters(
        "infarct", np.random.default_rng(np.random.SeedSequence((4, 7))), empty_fraction=1.0
    ).subject
    matrix, shift = head_matrix(subject)
    index = np.argwhere(healthy.brain)[::97]
    world = index @ healthy.affine[:3, :3].T + healthy.affine[:3, 3]
    drawn = (world - shift) @ np.linalg.inv(matrix).T + CENTRE_MM
    found = world @ head.mni[:3, :3].T + head.mni[:3, 3]
    assert np.linalg.norm(found - drawn, axis=1).mean() < 6.0
