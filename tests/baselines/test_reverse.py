"""Laws of a step back: its mean at the oracle, its variance, and what learned sigma may reach."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from strokediff.baselines.label_diffusion import linear_schedule, sample_label, spaced_times
from strokediff.baselines.reverse import (
    LearnedRange,
    Posterior,
    Reverse,
    Wide,
    clipped_mean,
    free_mean,
)
from strokediff.core.process import SynchronousProcess

T = 100
PROCESS = SynchronousProcess(linear_schedule(T))
STEPS: dict[str, Reverse] = {"posterior": Posterior(), "wide": Wide(), "learned": LearnedRange()}
EVERY = pytest.mark.parametrize("reverse", STEPS.values(), ids=STEPS)
SHAPE = (1, 2, 8, 8)


def at(t: int) -> Tensor:
    return torch.tensor([t])


def labels(seed: int = 0) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).sign()


class Knows:
    """The exact noise of y_t and, where sigma is learned, a v of 0.3."""

    def __init__(self, reverse: Reverse, y_0: Tensor) -> None:
        self.learned, self.y_0 = isinstance(reverse, LearnedRange), y_0

    def __call__(self, y_t: Tensor, t: Tensor) -> Tensor:
        signal = PROCESS.alpha_bar(t, y_t).sqrt() * self.y_0
        eps = (y_t - signal) / PROCESS.gamma(t, y_t).sqrt()
        return torch.cat([eps, torch.full_like(eps, 0.3)], 1) if self.learned else eps


@EVERY
@pytest.mark.parametrize("steps", [1, 7, 100])
def test_the_oracle_gives_the_label_back(reverse: Reverse, steps: int) -> None:
    y, m = labels(), torch.ones(1, 1, 8, 8)
    times = spaced_times(T, steps)
    found = sample_label(PROCESS, Knows(reverse, y), m, [3], times, 2, reverse)
    torch.testing.assert_close(found, y, atol=1e-4, rtol=0)


@EVERY
@pytest.mark.parametrize(("t", "s"), [(100, 99), (100, 40), (7, 6), (2, 1), (1, 0)])
def test_the_mean_is_that_of_the_posterior(reverse: Reverse, t: int, s: int) -> None:
    """DDPM's equation (7) in its own form: a weight of y_0 and one of y_t."""
    y_0, y_t = labels(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    bar = PROCESS.schedule.alpha_bar
    alpha = bar[t] / bar[s]
    clean = bar[s].sqrt() * (1 - alpha) / (1 - bar[t])
    noisy = alpha.sqrt() * (1 - bar[s]) / (1 - bar[t])
    expected = (clean * y_0 + noisy * y_t).float()
    found = reverse(PROCESS, y_t, Knows(reverse, y_0)(y_t, at(t)), at(t), at(s)).mean
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("t", "s"), [(100, 99), (100, 40), (2, 1)])
def test_variances_are_beta_and_what_the_posterior_leaves_of_it(t: int, s: int) -> None:
    y_t, bar = labels(), PROCESS.schedule.alpha_bar
    beta = float(1 - bar[t] / bar[s])
    wide = Wide()(PROCESS, y_t, y_t, at(t), at(s)).log_variance.exp()
    narrow = Posterior()(PROCESS, y_t, y_t, at(t), at(s)).log_variance.exp()
    assert float(wide) == pytest.approx(beta)
    assert float(narrow) == pytest.approx(beta * float((1 - bar[s]) / (1 - bar[t])))


@pytest.mark.parametrize(("t", "s"), [*pairwise(spaced_times(T, 10)), (2, 1), (1, 0)])
def test_learned_sigma_lies_between_beta_tilde_and_beta(t: int, s: int) -> None:
    """As v rises from -1 to 1, from one to the other; outside [-1, 1] nothing holds it."""
    y_t = torch.zeros(1, 1, 1, 41)
    v = torch.linspace(-1, 1, 41).reshape(y_t.shape)
    found = LearnedRange()(PROCESS, y_t, torch.cat([y_t, v], 1), at(t), at(s)).log_variance
    wide = Wide()(PROCESS, y_t, y_t, at(t), at(s)).log_variance
    narrow = Posterior()(PROCESS, y_t, y_t, at(t), at(s)).log_variance
    torch.testing.assert_close(found[..., :1], narrow)
    torch.testing.assert_close(found[..., -1:], wide)
    assert bool((found.diff() > 0).all())
    beyond = torch.cat([y_t, v + 3], 1)
    assert bool((LearnedRange()(PROCESS, y_t, beyond, at(t), at(s)).log_variance > wide).any())


def test_only_a_wild_guess_is_clipped() -> None:
    y_t = labels()
    arguments = (at(50), at(49))
    tame = Knows(Posterior(), 0.5 * labels(2))(y_t, at(50))
    torch.testing.assert_close(
        clipped_mean(PROCESS, y_t, tame, *arguments), free_mean(PROCESS, y_t, tame, *arguments)
    )
    wild = Knows(Posterior(), 5 * labels(2))(y_t, at(50))
    inside = Knows(Posterior(), labels(2))(y_t, at(50))
    torch.testing.assert_close(
        clipped_mean(PROCESS, y_t, wild, *arguments), clipped_mean(PROCESS, y_t, inside, *arguments)
    )
