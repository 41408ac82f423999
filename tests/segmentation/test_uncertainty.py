"""Entropy and probability by their definitions, and degenerate results said in words."""

import pytest
import torch

from strokediff.segmentation.uncertainty import doubts, entropy, probability


def test_probability_of_a_label() -> None:
    y_0 = torch.tensor([-1.2, -1.0, 0.0, 0.5, 1.0, 1.3])
    assert probability(y_0).tolist() == [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("threshold", [-0.4, 0.0, 0.6])
def test_a_threshold_is_read_as_one_half_and_certainty_stays_certain(threshold: float) -> None:
    y_0 = torch.linspace(-1, 1, 201)
    p = probability(y_0, threshold)
    assert p[0] == 0 and p[-1] == 1
    assert float(probability(torch.tensor(threshold), threshold)) == pytest.approx(0.5)
    assert (p.diff() > 0).all()
    assert torch.equal(p >= 0.5, y_0 >= threshold)


def test_entropy_is_in_bits_and_finite() -> None:
    found = entropy(torch.tensor([0.0, 0.5, 1.0, 0.11]))
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 0.0, 0.4999]), atol=1e-4, rtol=0)


def test_a_result_that_can_be_believed_raises_no_doubt() -> None:
    assert doubts(lesion_ml=30.0, brain_ml=1400.0, unsure_ml=35.0) == []
    assert doubts(lesion_ml=0.0, brain_ml=1400.0, unsure_ml=0.1) == []


@pytest.mark.parametrize(
    ("lesion_ml", "unsure_ml", "says"),
    [(900.0, 950.0, "64% of the brain is marked"), (0.0, 6.5, "6.5 mL have a probability of 20%")],
)
def test_degenerate_results_are_said(lesion_ml: float, unsure_ml: float, says: str) -> None:
    (warning,) = doubts(lesion_ml, 1400.0, unsure_ml)
    assert says in warning
