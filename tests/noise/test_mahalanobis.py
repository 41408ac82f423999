"""The Mahalanobis form of L_d2 with the noise models that can whiten."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from strokediff.core.losses import Mahalanobis, squared_error

from .conftest import FACTORS, SHAPE, WHITENING, Images


def test_for_isotropic_noise_it_is_the_squared_error(
    models: dict[str, Any], images: Images
) -> None:
    m = images.m[:6, None]
    residual = models["isotropic"].draw(range(6), SHAPE)
    found = Mahalanobis(models["isotropic"].whiten)(residual, m)
    torch.testing.assert_close(found, squared_error(residual, m))


@pytest.mark.parametrize("name", [*FACTORS, "scanner-low-rank"])
def test_it_is_the_quadratic_form_of_each_slice_s_own_pixels(
    models: dict[str, Any], images: Images, name: str
) -> None:
    """e^T Sigma_m^-1 e / |m|, densely: what lies outside a slice's mask plays no part."""
    m = images.m[:4, None]
    residual = models["isotropic"].draw(range(4), SHAPE)
    found = Mahalanobis(models[name].whiten)(residual, m)
    for value, e, mask in zip(found, residual[:, 0], m[:, 0] > 0, strict=True):
        at = mask[images.brain]
        sigma = models[name].covariance()[at][:, at]
        inside = e[mask].double()
        expected = inside @ torch.linalg.solve(sigma, inside) / len(inside)
        assert float(value) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("name", WHITENING)
def test_its_mean_over_the_model_s_own_noise_is_one(
    models: dict[str, Any], images: Images, name: str
) -> None:
    """E e^T Sigma^-1 e = |m|: the loss of a network that answers 0 is 1, as for white noise."""
    m = images.m[3:4, None].expand(400, -1, -1, -1)
    e = models[name].draw(range(400), SHAPE)
    values = Mahalanobis(models[name].whiten)(e, m)
    assert float(values.mean()) == pytest.approx(1, abs=0.03)
