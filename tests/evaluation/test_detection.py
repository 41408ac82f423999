"""Laws: lesions are counted whole, whatever their size, and a miss and a false alarm both show."""

import numpy as np
import pytest
from scipy import ndimage

from strokediff.evaluation.detection import (
    Detection,
    detect,
)


def balls(*boxes):
    mask = np.zeros((20, 20, 8), dtype=bool)
    for x, y, z, side in boxes:
        mask[x : x + side, y : y + side, z : z + side] = True
    return mask


def test_by_hand():
    true = balls((0, 0, 0, 3), (10, 10, 2, 4), (16, 0, 0, 1))
    pred = balls((2, 2, 2, 2), (10, 10, 2, 1), (0, 15, 5, 2), (5, 15, 5, 2))
    assert detect(mask_pred=pred, mask_true=true) == Detection(3, 2, 2)


def test_one_prediction_over_two_lesions_detects_both():
    true = balls((0, 0, 0, 2), (4, 0, 0, 2))
    assert detect(mask_pred=balls((0, 0, 0, 8)), mask_true=true) == Detection(2, 2, 0)


def test_voxels_that_touch_at_a_corner_are_one_lesion():
    true = balls((0, 0, 0, 2), (2, 2, 2, 2))
    assert detect(mask_pred=true, mask_true=true).n_true == 1


@pytest.mark.parametrize(
    ("pred", "true", "found"),
    [
        ((), (), Detection(0, 0, 0)),
        (((1, 1, 1, 2),), (), Detection(0, 0, 1)),
        ((), ((1, 1, 1, 2),), Detection(1, 0, 0)),
    ],
)
def test_empty_masks(pred, true, found):
    assert detect(mask_pred=balls(*pred), mask_true=balls(*true)) == found


def test_against_scipy_on_random_masks():
    rng = np.random.default_rng(0)
    for share in (0.02, 0.1):
        pred, true = rng.random((2, 16, 16, 8)) < share
        labels, n = ndimage.label(true, np.ones((3, 3, 3)))
        found = detect(mask_pred=pred, mask_true=true)
        hit = [k for k in range(1, n + 1) if pred[labels == k].any()]
        assert (found.n_true, found.n_detected) == (n, len(hit))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        detect(mask_pred=balls(), mask_true=balls()[1:])
