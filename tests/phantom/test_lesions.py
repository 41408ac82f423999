"""Laws of lesion shapes: the wanted volume, on the wanted side, in brain tissue."""

from dataclasses import replace

import numpy as np
import pytest

from strokediff.phantom.lesions import ProceduralShapes, at_volume, largest_parts, territory
from strokediff.phantom.params import HAEMATOMA_SITES, INFARCT_TERRITORIES, draw_infarcts
from strokediff.phantom.template import wheel_atlas

NAMES = sorted({**INFARCT_TERRITORIES, **HAEMATOMA_SITES})


def some_lesion(name, side, volume):
    first = draw_infarcts(np.random.default_rng(1), None)[0]
    return replace(first, territory=name, side=side, volume_ml=volume, seed=11)


@pytest.mark.parametrize("name", ["mca", "pca", "cerebellum", "putamen"])
@pytest.mark.parametrize("side", [-1, 1])
def test_shape_has_its_volume_and_side(name, side):
    """The 0.5 level encloses about the volume, nearly all of it on the lesion's side."""
    atlas = wheel_atlas().inner
    mask = ProceduralShapes().shape(some_lesion(name, side, 12.0), atlas)
    inside = mask > 0.5
    assert 0.5 * 12 < inside.sum() / 1000 < 1.3 * 12
    weight = inside.sum(axis=(1, 2)).astype(float)
    assert weight[(atlas.x.ravel() * side) > -4].sum() > 0.97 * weight.sum()
    tissue = (atlas.grey + atlas.white)[inside]
    assert tissue.mean() > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_every_territory_has_tissue(name):
    """No territory is empty; left and right mirror each other up to their random borders."""
    coarse = wheel_atlas().inner.coarse()
    sizes = [
        (territory(name, side, coarse, np.random.default_rng(0)) * coarse.tissue).sum() * 8 / 1000
        for side in (-1, 1)
    ]
    assert min(sizes) > 3
    assert 0.5 < sizes[0] / sizes[1] < 2


def test_unknown_territory_is_refused():
    with pytest.raises(ValueError, match="unknown territory 'moon'"):
        territory("moon", 1, wheel_atlas().inner.coarse(), np.random.default_rng(0))


def test_at_volume_counts_voxels():
    """Exactly volume / voxel volume entries end up at or above zero."""
    level = np.random.default_rng(0).standard_normal((20, 20, 20)).astype(np.float32)
    assert (at_volume(level, 0.8, 2.0) >= 0).sum() == 100


def test_largest_parts_drops_crumbs():
    mask = np.zeros((10, 10, 10), bool)
    mask[:6, :6, :6] = True
    mask[9, 9, 9] = True
    assert largest_parts(mask).sum() == 216
