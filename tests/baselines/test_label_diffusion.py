"""Laws of the label's diffusion and its sampler, with a network that knows the label."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from strokediff.baselines.label_diffusion import linear_schedule, sample_label, spaced_times
from strokediff.baselines.registry import baseline
from strokediff.core.process import SynchronousProcess

T = 100
PROCESS = SynchronousProcess(linear_schedule(T))
SHAPE = (1, 1, 64, 64)


def label() -> tuple[Tensor, Tensor]:
    """A label with two lesions, and a brain that leaves a rim out."""
    y = torch.full(SHAPE, -1.0)
    y[..., 10:30, 10:30] = y[..., 40:44, 50:55] = 1.0
    m = torch.zeros(SHAPE)
    m[..., 4:60, 4:60] = 1.0
    return y, m


class Knows:
    """The exact noise of y_t, and a record of what it was asked."""

    def __init__(self, y_0: Tensor) -> None:
        self.y_0 = y_0
        self.seen: dict[int, Tensor] = {}

    def __call__(self, y_t: Tensor, t: Tensor) -> Tensor:
        self.seen[int(t[0])] = y_t
        signal = PROCESS.alpha_bar(t, y_t).sqrt() * self.y_0
        return (y_t - signal) / PROCESS.gamma(t, y_t).sqrt()


@pytest.mark.parametrize("T", [50, 100, 1000])
def test_the_schedule_is_ddpms_at_any_length(T: int) -> None:
    """It ends as noisy as DDPM's: almost no signal is left."""
    schedule = linear_schedule(T)
    assert float(schedule.beta[1]) == pytest.approx(0.1 / T)
    assert float(schedule.beta[T]) == pytest.approx(20.0 / T)
    assert float(schedule.alpha_bar[T]) < 1e-4


def test_times_run_from_T_to_0_evenly() -> None:
    assert spaced_times(100, 100) == list(range(100, -1, -1))
    assert spaced_times(100, 4) == [100, 75, 50, 25, 0]
    for steps in (1, 3, 7, 99):
        times = spaced_times(100, steps)
        gaps = {a - b for a, b in pairwise(times)}
        assert len(times) == steps + 1 and max(gaps) - min(gaps) <= 1
    for steps in (0, 101):
        with pytest.raises(ValueError, match=f"steps must be in 1..100, got {steps}"):
            spaced_times(100, steps)


@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_the_oracle_gives_the_label_back(steps: int) -> None:
    y, m = label()
    found = sample_label(PROCESS, Knows(y), m, [3], spaced_times(T, steps))
    torch.testing.assert_close(found, y * m - (1 - m), atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [5, 100])
def test_the_chain_passes_through_the_forward_marginals(steps: int) -> None:
    """With the oracle, y_t is N(sqrt(abar) y_0, gamma) at each time, but 0 outside the brain.

    It starts from N(0, 1), which at T differs from that by less than 0.01. The slack is five
    standard errors of the mean and of the variance of n normals.
    """
    y, m = label()
    oracle = Knows(y)
    sample_label(PROCESS, oracle, m, [3], spaced_times(T, steps))
    slack = 5 / math.sqrt(float(m.sum())) + 0.01
    for t, y_t in oracle.seen.items():
        assert not y_t[m == 0].any()
        at = torch.tensor([t])
        eps = ((y_t - PROCESS.alpha_bar(at, y).sqrt() * y) / PROCESS.gamma(at, y).sqrt())[m > 0]
        assert abs(float(eps.mean())) < slack
        assert abs(float(eps.var()) - 1) < math.sqrt(2) * slack


def test_noise_belongs_to_a_slice_and_a_time() -> None:
    y, m = label()
    both = Knows(y.repeat(2, 1, 1, 1))
    sample_label(PROCESS, both, m.repeat(2, 1, 1, 1), [3, 4], spaced_times(T, 5))
    alone = Knows(y)
    sample_label(PROCESS, alone, m, [4], spaced_times(T, 5))
    for t, y_t in alone.seen.items():
        assert torch.equal(both.seen[t][1:], y_t)
        assert not torch.equal(both.seen[t][:1], y_t)


def discs(seed: int, side: int = 16) -> tuple[Tensor, Tensor]:
    """Eight slices of noise with one bright disc each, and the discs as labels."""
    source = torch.Generator().manual_seed(seed)
    centre = torch.randint(side // 4, 3 * side // 4, (8, 2, 1, 1), generator=source)
    radius = torch.randint(2, 5, (8, 1, 1), generator=source)
    at = torch.arange(side)
    inside = (at[:, None] - centre[:, 0]) ** 2 + (at - centre[:, 1]) ** 2 < radius**2
    y = 2.0 * inside[:, None].float() - 1.0
    return 0.3 * y + 0.1 * torch.randn(y.shape, generator=source), y


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        *(("segdiff", 60), ("medsegdiff", 60), ("label-posterior", 60)),
        pytest.param("segdiff-released", 120, marks=pytest.mark.slow),
    ],
)
def test_a_trained_network_finds_what_anyone_can_see(name: str, steps: int) -> None:
    """Their rows may be poor on real heads after few steps; what is plain they learn."""
    torch.manual_seed(0)
    peer = baseline(name)
    network = peer.build(16)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step in range(steps):
        x, y = discs(seed=step)
        batch = {"x": x, "y": y, "m": torch.ones_like(x), "number": torch.arange(8) + 8 * step}
        optimizer.zero_grad()
        peer.losses(network, batch)["loss"].backward()
        optimizer.step()
    x, y = discs(seed=1000)
    found = peer.predict(network.eval(), x, torch.ones_like(x), list(range(8))) > 0
    dice = [2 * float((found & t).sum()) / float(found.sum() + t.sum()) for t in (y > 0, y < 0)]
    assert dice[0] > 0.5 > dice[1]
