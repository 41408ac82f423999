"""Laws of the synchronous process: marginals, posterior and changes of variable."""

import pytest
import torch

from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule

PROCESS = SynchronousProcess(sigmoid_schedule())


def pair(n: int, side: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    g = torch.Generator().manual_seed(1)
    x_0 = torch.rand(1, 1, side, side, generator=g).double() * 2 - 1
    y_0 = torch.where(torch.rand(1, 1, side, side, generator=g) < 0.3, 1.0, -1.0).double()
    return x_0.expand(n, -1, -1, -1), y_0.expand(n, -1, -1, -1), g


@pytest.mark.parametrize("t", [1, 100, 400, 500])
def test_forward_marginals_against_closed_form(t: int) -> None:
    """mean sqrt(abar) x_0, variance gamma, cov(x_t, y_t) = gamma: the noise is shared."""
    n = 20_000
    x_0, y_0, g = pair(n)
    eps = torch.randn(x_0.shape, generator=g, dtype=torch.float64)
    drawn = PROCESS.diffuse(x_0, y_0, eps, torch.full((n,), t))
    bar, gamma = PROCESS.schedule.alpha_bar[t], PROCESS.schedule.gamma[t]
    five_sigma = 5 * (gamma / n).sqrt()
    assert ((drawn.x_t.mean(0) - bar.sqrt() * x_0[0]).abs() < five_sigma).all()
    assert ((drawn.y_t.mean(0) - bar.sqrt() * y_0[0]).abs() < five_sigma).all()
    centred = drawn.x_t - drawn.x_t.mean(0), drawn.y_t - drawn.y_t.mean(0)
    for a, b in (centred[:1] * 2, centred[1:] * 2, centred):
        cov = (a * b).mean(0)
        assert ((cov - gamma).abs() < 5 * gamma * (2 / n) ** 0.5).all()


def test_at_t_zero_nothing_is_added() -> None:
    x_0, y_0, g = pair(3)
    eps = torch.randn(x_0.shape, generator=g, dtype=torch.float64)
    drawn = PROCESS.diffuse(x_0, y_0, eps, torch.zeros(3, dtype=torch.long))
    assert torch.equal(drawn.x_t, x_0)
    assert torch.equal(drawn.y_t, y_0)


def test_equation_10_is_the_ddpm_posterior_in_y0_and_eps() -> None:
    """Ho et al. (7) in x_0 and x_t, rewritten with x_t = sqrt(abar) x_0 + sqrt(gamma) eps."""
    s = PROCESS.schedule
    x_0, _, g = pair(500)
    eps = torch.randn(x_0.shape, generator=g, dtype=torch.float64)
    t = torch.arange(1, 501)
    x_t = PROCESS.noised(x_0, eps, t)
    prev = s.alpha_bar[:-1]
    c_0 = (prev.sqrt() * s.beta[1:] / s.gamma[1:]).reshape(-1, 1, 1, 1)
    c_t = (s.alpha[1:].sqrt() * s.gamma[:-1] / s.gamma[1:]).reshape(-1, 1, 1, 1)
    torch.testing.assert_close(PROCESS.posterior_mean(x_0, eps, t, t - 1), c_0 * x_0 + c_t * x_t)
    expected = s.beta[1:] * s.gamma[:-1] / s.gamma[1:]
    torch.testing.assert_close(PROCESS.posterior_variance(t, t - 1, x_t).flatten(), expected)


@pytest.mark.parametrize(("t", "s"), [(1, 0), (2, 1), (500, 499), (400, 300), (250, 0), (30, 29)])
def test_a_posterior_step_of_any_length_keeps_the_forward_marginals(t: int, s: int) -> None:
    """From x_t ~ q(x_t): mean sqrt(abar[s]) y_0; the coefficient of eps squared plus the variance
    is gamma[s]."""
    at, to = torch.tensor([t]), torch.tensor([s])
    zero, one = torch.zeros(1, 1, 1, 1).double(), torch.ones(1, 1, 1, 1).double()
    bar, gamma = PROCESS.schedule.alpha_bar[s], PROCESS.schedule.gamma[s]
    torch.testing.assert_close(PROCESS.posterior_mean(one, zero, at, to).squeeze(), bar.sqrt())
    coefficient = PROCESS.posterior_mean(zero, one, at, to).squeeze()
    variance = PROCESS.posterior_variance(at, to, one).squeeze()
    torch.testing.assert_close(coefficient**2 + variance, gamma)


def test_clean_undoes_noised_at_every_t() -> None:
    x_0, _, g = pair(501)
    eps = torch.randn(x_0.shape, generator=g, dtype=torch.float64)
    t = torch.arange(501)
    torch.testing.assert_close(PROCESS.clean(PROCESS.noised(x_0, eps, t), eps, t), x_0)


def test_the_oracle_recovers_the_noise_that_was_drawn() -> None:
    x_0, y_0, g = pair(500)
    eps = torch.randn(x_0.shape, generator=g, dtype=torch.float64)
    t = torch.arange(1, 501)
    drawn = PROCESS.diffuse(x_0, y_0, eps, t)
    eps_hat, y_t_hat = Oracle(PROCESS, x_0, y_0)(drawn.x_t, t)
    torch.testing.assert_close(eps_hat, eps)
    torch.testing.assert_close(y_t_hat, drawn.y_t)
