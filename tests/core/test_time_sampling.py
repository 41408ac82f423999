"""Laws of t in training: range, and the distribution that each name promises."""

import pytest
import torch

from strokediff.core.time_sampling import TIME_SAMPLERS, CleanMixture, Power, Uniform

T, N = 500, 50_000


def draws(sampler: object) -> torch.Tensor:
    return sampler.draw(N, T, torch.Generator().manual_seed(0))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", TIME_SAMPLERS)
def test_every_law_stays_in_range_and_repeats_with_its_seed(name: str) -> None:
    t = draws(TIME_SAMPLERS[name])
    assert t.dtype == torch.long
    assert 0 <= int(t.min()) <= int(t.max()) <= T
    assert torch.equal(t, draws(TIME_SAMPLERS[name]))


def test_uniform_mean_is_half_of_T() -> None:
    assert float(draws(Uniform()).double().mean()) == pytest.approx(T / 2, abs=3)


def test_power_median_is_T_over_two_to_the_power() -> None:
    """P(t < T q^p) = q."""
    assert float(draws(Power(3.0)).double().median()) == pytest.approx(T * 0.5**3, abs=3)


def test_the_mixture_is_clean_as_often_as_it_says() -> None:
    t = draws(CleanMixture(clean=0.25, power=1.0))
    assert float((t == 0).double().mean()) == pytest.approx(0.25 + 0.75 / (T + 1), abs=0.01)
