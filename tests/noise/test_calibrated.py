"""What mends the Fourier noise: orthogonal omega, phases within [0, pi], mean and variance."""

from __future__ import annotations

from math import pi
from typing import Any

import pytest
import torch

from strokediff.errors import UsageError
from strokediff.noise.calibrated import _frequencies
from strokediff.noise.linear import in_turn

from .conftest import SHAPE, Fit, Images, share_clipped
from .test_fourier import neighbour_correlation


def test_omega_is_orthogonal_and_its_phases_have_deviation_pi_over_8() -> None:
    eigenvalues = torch.tensor([5.0, 2.0, 0.5, 0.1])
    omega, b, a = _frequencies(64, eigenvalues, seed=2)
    torch.testing.assert_close(omega.T @ omega, a * torch.eye(4), atol=1e-6 * a, rtol=0)
    variance = (omega**2 * eigenvalues).sum(1).mean()
    assert float(variance.sqrt()) == pytest.approx(pi / 8, rel=1e-5)
    assert pi / 4 <= float(b.min()) < float(b.max()) <= 3 * pi / 4


def test_its_covariance_is_near_the_images_correlation(
    models: dict[str, Any], fit: Fit, images: Images
) -> None:
    """Against the dense reference: within a quarter, where the printed form is beside it."""
    reference = images.correlation()
    found = fit("calibrated", shrinkage=0.0, rank=60).covariance()
    assert float((found - reference).norm() / reference.norm()) < 0.25
    printed = models["fourier"].covariance()
    printed = printed / printed.diagonal().mean()
    assert float((printed - reference).norm() / reference.norm()) > 0.5
    assert neighbour_correlation(found, images.brain) == pytest.approx(
        neighbour_correlation(reference, images.brain), abs=0.1
    )


def test_few_arccos_arguments_are_clipped(models: dict[str, Any]) -> None:
    """The phases' deviation of pi/8 keeps all but a few of mean z + e inside [-1, 1]."""
    parts = models["calibrated"].tensors()
    assert 0 < share_clipped(parts["mean_z"], parts["L"]) < 0.06


def test_coefficients_are_white(models: dict[str, Any]) -> None:
    """The k coefficients of a draw have covariance I, by the closed form of the arccos."""
    model = models["calibrated"]
    sources = [torch.Generator().manual_seed(seed) for seed in range(4000)]
    h = torch.stack(model._coefficients(sources, torch.device("cpu"), in_turn)).double()
    k = h.shape[1]
    assert float(h.mean(0).abs().max()) < 5 / 4000**0.5
    assert float((torch.cov(h.T) - torch.eye(k)).norm()) < 1.2 * (k * (k + 1) / 4000) ** 0.5


def test_a_rank_above_D_is_refused(fit: Fit) -> None:
    with pytest.raises(UsageError, match="expected a rank of at most D = 16, got 20"):
        fit("calibrated", D=16, rank=20)


def test_a_fit_on_constant_images_is_white_noise(images: Images) -> None:
    from strokediff.noise.calibrated import CalibratedFourierNoise

    still = torch.zeros_like(images.x)
    model = CalibratedFourierNoise.fit(lambda: [(still, images.m)], D=32, rank=8)
    assert float(model.draw(range(300), SHAPE)[:, 0, images.brain].var()) == pytest.approx(
        1, abs=0.02
    )
