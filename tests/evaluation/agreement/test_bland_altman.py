"""Laws: limits and intervals by their definition, and by simulation where they promise a share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.bland_altman import differences, ratios


def volumes(n: int, seed: int, *, bias: float = 3.0, sd: float = 4.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    b = rng.uniform(60, 120, n)
    return b + rng.normal(bias, sd, n), b


def test_bias_and_limits_are_the_mean_and_1_96_sd() -> None:
    a, b = volumes(40, 0)
    found, d = differences(a, b), np.asarray(a - b)
    assert found.bias.value == pytest.approx(d.mean())
    assert found.sd == pytest.approx(d.std(ddof=1))
    assert found.upper.value == pytest.approx(d.mean() + 1.959964 * d.std(ddof=1))
    assert found.lower.value == pytest.approx(d.mean() - 1.959964 * d.std(ddof=1))
    same = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert (found.bias.low, found.bias.high) == pytest.approx((same.low, same.high))


def test_limits_of_many_patients_hold_95_of_100_others() -> None:
    found = differences(*volumes(4000, 1))
    a, b = volumes(20000, 2)
    assert np.mean((found.lower.value <= a - b) & (a - b <= found.upper.value)) == pytest.approx(
        0.95, abs=0.01
    )


@pytest.mark.parametrize("n", [5, 30])
def test_intervals_hold_the_truth_as_often_as_they_say(n: int) -> None:
    """Of bias 3 and sd 4, in few patients too: Bland and Altman's own are too narrow there."""
    truth = {"bias": 3.0, "lower": 3 - 1.959964 * 4, "upper": 3 + 1.959964 * 4}
    found = [differences(*volumes(n, seed), level=0.9) for seed in range(1000)]
    for name, value in truth.items():
        own = [getattr(one, name) for one in found]
        assert np.mean([o.low <= value <= o.high for o in own]) == pytest.approx(0.9, abs=0.03)


def test_of_many_patients_the_exact_interval_is_bland_and_altmans() -> None:
    """se = s sqrt(1/n + z^2 / (2 (n - 1))), their equation of 1999."""
    found, n = differences(*volumes(2000, 3)), 2000
    half = 1.96 * found.sd * math.sqrt(1 / n + 1.96**2 / (2 * (n - 1)))
    assert found.upper.high - found.upper.value == pytest.approx(half, rel=0.03)
    assert found.upper.value - found.upper.low == pytest.approx(half, rel=0.03)


def test_the_other_order_mirrors_differences_and_inverts_ratios() -> None:
    a, b = volumes(12, 4)
    one, other = differences(a, b), differences(b, a)
    assert other.bias.value == pytest.approx(-one.bias.value)
    for x, y in ((one.lower, other.upper), (one.upper, other.lower)):
        assert (y.value, y.low, y.high) == pytest.approx((-x.value, -x.high, -x.low))
    assert other.proportional.slope.value == pytest.approx(-one.proportional.slope.value)
    assert other.proportional.p == pytest.approx(one.proportional.p)
    up, down = ratios(a, b), ratios(b, a)
    assert down.bias.value == pytest.approx(1 / up.bias.value)
    assert (down.lower.low, down.upper.value) == pytest.approx(
        (1 / up.upper.high, 1 / up.lower.value)
    )


def test_a_reader_with_a_factor_is_seen_in_the_slope_and_in_the_ratio() -> None:
    """A = c B with little noise: d = 2 (c - 1) / (c + 1) m, and A / B is c for all."""
    rng, b = np.random.default_rng(5), np.linspace(5, 120, 60)
    a = 1.5 * b * np.exp(rng.normal(0, 0.02, 60))
    found = differences(a, b)
    assert found.proportional.slope.value == pytest.approx(0.4, abs=0.01)
    assert found.proportional.p < 1e-6
    assert ratios(a, b).bias.value == pytest.approx(1.5, abs=0.02)


def test_trends_are_those_of_scipy() -> None:
    a, b = volumes(25, 6)
    found, m, d = differences(a, b), (a + b) / 2, a - b
    line = stats.linregress(m, d)
    assert found.proportional.p == pytest.approx(line.pvalue)
    assert found.proportional.intercept == pytest.approx(line.intercept)
    half = stats.t.ppf(0.975, 23) * line.stderr
    assert found.proportional.slope.high == pytest.approx(line.slope + half)
    left = stats.linregress(m, np.abs(d - line.intercept - line.slope * m))
    assert found.spread.slope.value == pytest.approx(left.slope)


def test_a_spread_that_grows_is_told_from_one_that_does_not() -> None:
    rng, b = np.random.default_rng(7), np.linspace(5, 120, 80)
    relative, constant = b * np.exp(rng.normal(0, 0.2, 80)), b + rng.normal(0, 2, 80)
    assert differences(relative, b).spread.rises
    assert not ratios(relative, b).spread.rises
    assert not differences(constant, b).spread.rises


def test_volumes_of_0_have_no_ratio_and_are_counted() -> None:
    found = ratios([0, 10, 20, 0], [5, 5, 10, 0])
    assert (found.n, found.left_out) == (2, 2)
    assert found.bias.value == pytest.approx(2)
    assert differences([0, 10, 20, 0], [5, 5, 10, 0]).n == 4


def test_too_few_patients_say_so() -> None:
    one = differences([5], [3])
    assert one.bias.value == 2 and one.bias.low is None and one.sd is None
    assert "at least 2 patients" in str(one.lower.note)
    two = differences([5, 9], [3, 4])
    assert two.upper.high > two.upper.value > two.upper.low
    assert two.proportional.slope.value is None
    assert "at least 3 patients" in str(two.proportional.slope.note)
    none = ratios([0, 0], [0, 4])
    assert none.n == 0 and none.bias.value is None and none.bias.note


def test_equal_volumes_have_limits_and_no_trend() -> None:
    found = differences([7, 7, 7], [7, 7, 7])
    assert (found.bias.value, found.lower.value, found.upper.value) == (0, 0, 0)
    assert "all mean volumes are equal" in str(found.proportional.slope.note)


def test_rounding_is_no_spread() -> None:
    """A = 1.1 B exactly, but for the last bit."""
    b = np.array([0.1, 0.7, 1 / 3, 250.0, 33.0])
    found = differences(1.1 * b, b)
    assert not found.spread.rises and found.spread.p is None
    assert found.proportional.slope.value == pytest.approx(0.2 / 2.1)
    assert "on the line" in str(found.proportional.slope.note)


def test_an_interval_beyond_all_numbers_is_none() -> None:
    found = ratios([1e-3, 300.0], [300.0, 1e-3])
    assert found.upper.value is not None and found.upper.high is None
    assert "beyond all numbers" in str(found.upper.note)


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ([1, 2], [1], "1 volumes. Expected 2"),
        ([1, -2], [1, 2], r"volumes_a\[1\]: expected a volume of 0 or more, got -2"),
        ([1, 2], [1, np.nan], r"volumes_b\[1\]"),
        ([], [], "at least one"),
        ([[1]], [[1]], "a volume a patient"),
    ],
)
def test_other_volumes_are_refused(a: list[float], b: list[float], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        differences(a, b)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        differences([1, 2], [1, 2], level=level)
