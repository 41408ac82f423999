"""Laws of the bound that trains learned sigma."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from strokediff.baselines.label_diffusion import linear_schedule
from strokediff.baselines.reverse import LearnedRange, Normal, free_mean, log_narrow, log_wide
from strokediff.baselines.variational import (
    kl_divergence,
    log_probability_of_bin,
    variational_bits,
)
from strokediff.core.process import SynchronousProcess

PROCESS = SynchronousProcess(linear_schedule(1000))
SHAPE = (3, 2, 5, 5)


def drawn(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def noisy(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Labels of 0 and 1, their noise, and what both give at t."""
    y_0, eps = (drawn(0) > 0).float(), drawn(1)
    return y_0, eps, PROCESS.noised(y_0, eps, t)


def test_the_divergence_is_that_of_torchs_normals() -> None:
    a, b = Normal(drawn(0), drawn(1)), Normal(drawn(2), drawn(3))
    normals = [torch.distributions.Normal(n.mean, n.deviation) for n in (a, b)]
    expected = torch.distributions.kl_divergence(*normals)
    torch.testing.assert_close(kl_divergence(a, b), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("t", [2, 17, 1000])
def test_the_bound_is_the_divergence_from_the_posterior(t: int) -> None:
    """In bits, by torch's normals, of the posterior in the form of DDPM's equation (7)."""
    at = torch.full((3,), t)
    y_0, _, y_t = noisy(at)
    eps_hat, v = drawn(2), drawn(3)
    schedule = PROCESS.schedule
    bar, beta = schedule.alpha_bar, schedule.beta
    posterior = torch.distributions.Normal(
        (bar[t - 1].sqrt() * beta[t] / (1 - bar[t])) * y_0.double()
        + (schedule.alpha[t].sqrt() * (1 - bar[t - 1]) / (1 - bar[t])) * y_t.double(),
        (beta[t] * (1 - bar[t - 1]) / (1 - bar[t])).sqrt(),
    )
    step = LearnedRange(free_mean)(PROCESS, y_t, torch.cat([eps_hat, v], 1), at, at - 1)
    own = torch.distributions.Normal(step.mean.double(), step.deviation.double())
    expected = torch.distributions.kl_divergence(posterior, own) / math.log(2)
    found = variational_bits(PROCESS, y_0, y_t, torch.cat([eps_hat, v], 1), at)
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=1e-2)


def test_it_is_0_at_the_truth_and_more_anywhere_else() -> None:
    at = torch.tensor([2, 500, 1000])
    y_0, eps, y_t = noisy(at)

    def bits(eps_hat: Tensor, v: float) -> Tensor:
        found = torch.cat([eps_hat, torch.full_like(eps, v)], 1)
        return variational_bits(PROCESS, y_0, y_t, found, at).mean((1, 2, 3))

    right = bits(eps, -1.0)
    torch.testing.assert_close(right, torch.zeros(3), atol=1e-3, rtol=0)
    assert bool((bits(eps, -1.5) > right).all()) and bool((bits(eps + 0.5, -1.0) > right).all())


def test_it_trains_sigma_alone() -> None:
    at = torch.tensor([1, 2, 500])
    y_0, _, y_t = noisy(at)
    eps_hat, v = drawn(2).requires_grad_(), drawn(3).requires_grad_()
    variational_bits(PROCESS, y_0, y_t, torch.cat([eps_hat, v], 1), at).sum().backward()
    assert eps_hat.grad is None or not eps_hat.grad.any()
    assert v.grad is not None and bool((v.grad != 0).flatten(1).any(1).all())


def test_a_wrong_guess_widens_sigma_and_a_right_one_narrows_it() -> None:
    at = torch.full((3,), 2)
    y_0, eps, y_t = noisy(at)
    slopes = []
    for eps_hat in (eps, eps + 3):
        v = torch.zeros_like(eps).requires_grad_()
        variational_bits(PROCESS, y_0, y_t, torch.cat([eps_hat, v], 1), at).sum().backward()
        assert v.grad is not None
        slopes.append(float(v.grad.mean()))
    assert slopes[0] > 0 > slopes[1]


@pytest.mark.parametrize("deviation", [0.002, 0.05, 1.0])
def test_the_bins_share_out_all_probability(deviation: float) -> None:
    """256 of them, from -1 to 1."""
    y = torch.linspace(-1, 1, 256, dtype=torch.float64)
    of = Normal(torch.tensor(0.3, dtype=torch.float64), torch.tensor(2 * math.log(deviation)))
    assert float(log_probability_of_bin(y, of).exp().sum()) == pytest.approx(1.0, abs=1e-6)


def test_the_last_step_is_the_probability_of_the_label() -> None:
    at = torch.ones(3, dtype=torch.long)
    y_0, _, y_t = noisy(at)
    found = torch.cat([drawn(2), drawn(3)], 1)
    step = LearnedRange(free_mean)(PROCESS, y_t, found, at, at - 1)
    expected = -log_probability_of_bin(y_0, step) / math.log(2)
    torch.testing.assert_close(variational_bits(PROCESS, y_0, y_t, found, at), expected)


def test_at_the_last_step_sigma_has_a_range_too() -> None:
    """beta~ is 0 there, and clipped to that of the step before, as the releases do."""
    one, two, like = torch.tensor([1]), torch.tensor([2]), torch.zeros(1, 1, 1, 1)
    clipped = log_narrow(PROCESS, one, one - 1, like)
    assert torch.equal(clipped, log_narrow(PROCESS, two, two - 1, like))
    assert bool(clipped < log_wide(PROCESS, one, one - 1, like))
