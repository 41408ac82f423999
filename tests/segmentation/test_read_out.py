"""Laws: one way from a label estimate to a mask, on whatever grid the head lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_place import DEPTH, SIDE, VOXEL_ML, Plain
from torch import Tensor

from strokediff.segmentation.decision import Decision
from strokediff.segmentation.read_out import read_out, without_lone_pixels


@pytest.fixture
def y_0() -> Tensor:
    """A block of 3 x 3 in all slices, a lone pixel, and another block at the edge."""
    label = torch.full((DEPTH - 1, 1, SIDE, SIDE), -1.0)
    label[:, :, 2:5, 2:5] = 0.4
    label[0, :, 8, 8] = 0.9
    label[2, :, 6:9, 9:12] = 0.2
    return label


def test_the_steps_one_after_the_other(y_0: Tensor) -> None:
    place = Plain()
    found = read_out(place, y_0, Decision())
    block = np.zeros_like(place.brain)
    block[2:5, 2:5] = True  # slice 0 from its neighbour
    assert found.mask[block].all()
    assert not found.mask[8, 8].any()  # the lone pixel
    assert not found.mask[-1].any()  # outside the brain
    np.testing.assert_array_equal(found.mask, found.prob >= 0.5)
    assert found.prob[2, 2, 1] == pytest.approx(0.7) and found.prob[0, 0, 1] == 0


@pytest.mark.parametrize(("threshold", "blocks"), [(-0.5, 2), (0.0, 2), (0.3, 1), (0.5, 0)])
def test_lesion_is_where_y_0_reaches_the_threshold(
    y_0: Tensor, threshold: float, blocks: int
) -> None:
    found = read_out(Plain(), y_0, Decision(threshold=threshold))
    assert len(found.kinds[0].lesions.volume_ml) == blocks


@pytest.mark.parametrize(("least", "blocks"), [(0.0, 2), (0.2, 1), (0.8, 0)])
def test_lesions_smaller_than_the_least_are_left_out(
    y_0: Tensor, least: float, blocks: int
) -> None:
    """The blocks have 36 and 6 voxels of 0.02 mL; the probability keeps both."""
    found = read_out(Plain(), y_0, Decision(least_lesion_ml=least))
    sizes = sorted(found.kinds[0].lesions.volume_ml)
    assert sizes == pytest.approx([6 * VOXEL_ML, 36 * VOXEL_ML])
    kept = [size for size in sizes if size >= least]
    assert len(kept) == blocks
    assert found.mask.sum() * VOXEL_ML == pytest.approx(sum(kept))
    assert (found.prob >= 0.5).sum() == 42


def test_lone_pixels_end_just_below_the_threshold(y_0: Tensor) -> None:
    for threshold in (-0.2, 0.0, 0.5):
        kept = without_lone_pixels(y_0, threshold)
        changed = kept != y_0
        assert changed.sum() == 1 and changed[0, 0, 8, 8]
        assert threshold - 0.02 < kept[0, 0, 8, 8] < threshold
