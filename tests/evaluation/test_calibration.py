"""Laws: perfect probabilities score 0, and both scores agree with an independent library."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from strokediff.evaluation.calibration import brier, expected_calibration_error


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_worst():
    true = np.zeros((4, 4, 2), dtype=bool)
    true[:2] = True
    for score in (brier, expected_calibration_error):
        assert score(prob=true.astype(float), mask_true=true) == 0
        assert score(prob=1.0 - true, mask_true=true) == 1


def test_by_hand():
    prob, true = np.array([0.2, 0.2, 0.9, 0.9]), np.array([0, 1, 1, 1])
    assert brier(prob=prob, mask_true=true) == pytest.approx((0.04 + 0.64 + 0.01 + 0.01) / 4)
    # |0.4 - 1| and |1.8 - 2|, over 4 voxels
    assert expected_calibration_error(prob=prob, mask_true=true) == pytest.approx(0.8 / 4)


def test_honest_probabilities_are_calibrated_though_they_are_unsure():
    rng = np.random.default_rng(0)
    prob = rng.random(200_000)
    true = rng.random(200_000) < prob
    assert expected_calibration_error(prob=prob, mask_true=true) < 0.01
    assert brier(prob=prob, mask_true=true) == pytest.approx(1 / 6, abs=0.005)


@pytest.mark.parametrize("bins", [5, 15])
def test_ece_against_torchmetrics(bins):
    rng = np.random.default_rng(1)
    prob = rng.beta(0.5, 2.0, 5000)
    true = rng.random(5000) < prob**2
    other = binary_calibration_error(torch.from_numpy(prob), torch.from_numpy(true), n_bins=bins)
    own = expected_calibration_error(prob=prob, mask_true=true, bins=bins)
    assert own == pytest.approx(float(other), abs=1e-6)


def test_what_are_no_probabilities_is_refused():
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        brier(prob=np.array([0.5, 1.5]), mask_true=np.array([0, 1]))
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        brier(prob=np.array([0.5, np.nan]), mask_true=np.array([0, 1]))
    with pytest.raises(ValueError, match="one shape"):
        brier(prob=np.zeros(3), mask_true=np.zeros(2))
