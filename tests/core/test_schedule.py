"""Laws of a schedule: it starts clean, falls strictly, and its parts agree with equation (2)."""

import math

import pytest
import torch

from strokediff.core.schedule import (
    Schedule,
    from_betas,
    sigmoid_beta_schedule,
    sigmoid_schedule,
)


def linear_schedule(T: int = 1000) -> Schedule:
    return from_betas(torch.linspace(1e-4, 0.02, T))


SCHEDULES = [
    sigmoid_schedule(),
    sigmoid_schedule(T=50),
    sigmoid_beta_schedule(),
    sigmoid_beta_schedule(T=50),
    linear_schedule(),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_alpha_bar_is_the_product_of_alpha_and_starts_at_one(schedule: Schedule) -> None:
    assert schedule.alpha_bar[0] == 1.0
    assert schedule.alpha_bar.dtype == torch.float64
    torch.testing.assert_close(schedule.alpha.cumprod(0), schedule.alpha_bar)
    torch.testing.assert_close(schedule.beta, 1 - schedule.alpha)
    assert (schedule.beta[1:] > 0).all()
    assert (schedule.beta <= 0.999).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_snr_falls_strictly(schedule: Schedule) -> None:
    assert (schedule.snr[1:].diff() < 0).all()
    assert math.isinf(float(schedule.snr[0]))


def test_sigmoid_curve_at_its_middle_is_one_half() -> None:
    """The curve is symmetric about t = T/2, where s(0) = 1/2."""
    assert float(sigmoid_schedule(T=500).alpha_bar[250]) == pytest.approx(0.5, abs=1e-12)


def test_sigmoid_curve_against_its_closed_form() -> None:
    T = 500
    bar = sigmoid_schedule(T).alpha_bar

    def s(v: float) -> float:
        return 1 / (1 + math.exp(-v))

    for t in (1, 100, 333, 499):
        expected = (s(3) - s(-3 + 6 * t / T)) / (s(3) - s(-3))
        assert float(bar[t]) == pytest.approx(expected, rel=1e-9)


def test_sigmoid_beta_against_its_closed_form() -> None:
    """beta from 1e-4 to 0.02, symmetric about their mean in the middle."""
    beta = sigmoid_beta_schedule(T=501).beta[1:]
    for t in (1, 100, 251, 501):
        v = -6 + 12 * (t - 1) / 500
        expected = 1e-4 + (0.02 - 1e-4) / (1 + math.exp(-v))
        assert float(beta[t - 1]) == pytest.approx(expected, rel=1e-9)
    torch.testing.assert_close(beta + beta.flip(0), torch.full_like(beta, 0.0201))


def test_the_last_beta_is_clipped_so_alpha_bar_stays_positive() -> None:
    schedule = sigmoid_schedule()
    assert float(schedule.beta[-1]) == pytest.approx(0.999)
    assert float(schedule.alpha_bar[-1]) > 0


@pytest.mark.parametrize(
    "bar", [torch.tensor([1.0, 0.5]), torch.tensor([0.9, 0.5]).double(), torch.ones(3).double()]
)
def test_an_invalid_alpha_bar_is_refused(bar: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="alpha_bar"):
        Schedule(bar)
