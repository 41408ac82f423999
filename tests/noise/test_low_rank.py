"""The low-rank noise is the images' own correlation, shrunk towards white noise."""

from __future__ import annotations

import pytest
import torch

from strokediff.errors import UsageError

from .conftest import SHAPE, Fit, Images


def test_X_J_u_has_the_sample_covariance(images: Images) -> None:
    """The identity that the model rests on, against the textbook covariance."""
    x = (images.x * images.m)[:, images.brain].double()
    torch.testing.assert_close(images.covariance(), torch.cov(x.T, correction=0))


def test_at_full_rank_it_is_the_images_correlation(fit: Fit, images: Images) -> None:
    """Dense reference; G is held in float16, hence the tolerance."""
    found = fit("low-rank", rank=1000, shrinkage=0.0).covariance()
    torch.testing.assert_close(found, images.correlation(), atol=2e-3, rtol=0)


@pytest.mark.parametrize("shrinkage", [0.1, 0.5, 0.9, 1.0])
def test_shrinkage_mixes_with_white_noise(fit: Fit, shrinkage: float) -> None:
    """Sigma = (1 - lambda) C + lambda I."""
    whole = fit("low-rank", shrinkage=0.0).covariance()
    expected = (1 - shrinkage) * whole + shrinkage * torch.eye(len(whole))
    found = fit("low-rank", shrinkage=shrinkage).covariance()
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_a_higher_rank_is_nearer(fit: Fit, images: Images) -> None:
    reference = images.correlation()
    errors = [
        float((fit("low-rank", rank=rank, shrinkage=0.0).covariance() - reference).norm())
        for rank in (2, 8, 32)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_bytes_are_two_a_pixel_and_rank(fit: Fit, images: Images) -> None:
    tensors = fit("low-rank", rank=16).tensors()
    assert tensors["basis"].dtype == torch.float16
    assert tensors["basis"].shape == (int(images.brain.sum()), 16)


def test_whitening_without_white_noise_is_refused(fit: Fit) -> None:
    model = fit("low-rank", rank=1000, shrinkage=0.0)
    with pytest.raises(UsageError, match="cannot be whitened.*shrinkage above 0"):
        model.whiten(model.draw([1], SHAPE))


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1])
def test_a_shrinkage_outside_0_to_1_is_refused(fit: Fit, shrinkage: float) -> None:
    with pytest.raises(UsageError, match="expected a shrinkage from 0 to 1"):
        fit("low-rank", shrinkage=shrinkage)
