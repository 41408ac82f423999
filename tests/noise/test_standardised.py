"""Laws of the standardised Fourier noise: every draw is the printed one, centred and scaled."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from strokediff.noise.standardised import StandardisedFourierNoise

from .conftest import SHAPE, Fit, Images


@pytest.mark.parametrize("margin", [0, 2])
def test_each_draw_has_mean_0_and_variance_1_over_its_support(fit: Fit, margin: int) -> None:
    noise = fit("fourier-standardised", margin=margin)
    inside = noise.tensors()["support"] > 0
    values = noise.draw(range(50), SHAPE)[:, 0, inside]
    assert float(values.mean(1).abs().max()) < 1e-6
    torch.testing.assert_close(values.square().mean(1), torch.ones(50), atol=1e-5, rtol=0)


def test_each_draw_is_the_printed_one_but_for_offset_and_scale(
    models: dict[str, Any], images: Images
) -> None:
    printed = models["fourier"].draw(range(9), SHAPE)[:, 0, images.brain].double()
    own = models["fourier-standardised"].draw(range(9), SHAPE)[:, 0, images.brain].double()
    for a, b in zip(printed, own, strict=True):
        assert float(torch.corrcoef(torch.stack([a, b]))[0, 1]) == pytest.approx(1, abs=1e-6)


def test_its_strength_is_the_same_on_every_grid_and_contrast() -> None:
    """Where the printed noise's is another on each."""
    found = []
    for side, contrast in ((12, 0.1), (48, 1.0)):
        source = torch.Generator().manual_seed(0)
        x = torch.randn(40, side, side, generator=source).cumsum(1) / side * contrast
        noise = StandardisedFourierNoise.fit(lambda x=x: [(x, torch.ones_like(x))], D=200)
        shape = (1, side, side)
        found.append([float(own.draw(range(40), shape).std()) for own in (noise, noise._printed)])
    (small, printed_small), (large, printed_large) = found
    assert (small, large) == pytest.approx((1, 1), abs=0.01)
    assert printed_large > 1.2 * printed_small


def test_the_measured_moments_are_those_of_other_draws(models: dict[str, Any]) -> None:
    noise = models["fourier-standardised"]
    moments = noise.moments(SHAPE)
    eps = noise.draw(range(4000), SHAPE)[:, 0]
    error = (eps.mean(0) - moments.mean).abs()
    assert bool((error <= 6 * (moments.variance / 800).sqrt()).all())
    assert float((eps.var(0) / moments.variance.clamp(min=1e-9))[eps[0] != 0].mean()) == (
        pytest.approx(1, abs=0.02)
    )
    assert float(moments.mean.abs().max()) > 1  # the fixed pattern of the printed noise


def test_it_fits_as_the_printed_one_whatever_the_batch_size(images: Images) -> None:
    one, other = (
        StandardisedFourierNoise.fit(images.batches(size), D=60).draw([3, 4], SHAPE)
        for size in (7, 90)
    )
    torch.testing.assert_close(one, other, atol=1e-2, rtol=0)
