"""The bootstrap against what is known of the mean, and the cases where a figure does not exist."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.evaluation.bootstrap import Interval, bootstrap


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = bootstrap(lambda i: float(values[i].mean()), 400, resamples=4000)
    error = values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_a_paired_difference_ignores_what_patients_share() -> None:
    rng = np.random.default_rng(1)
    hard, gain = rng.normal(0, 10.0, 50), rng.normal(0.5, 0.1, 50)
    found = bootstrap(lambda i: float((hard[i] + gain[i]).mean() - hard[i].mean()), 50)
    assert found.low is not None
    assert found.high is not None
    assert 0.4 < found.low < found.high < 0.6


def test_patients_are_drawn_with_all_their_scans() -> None:
    """A copy of everybody's scan is no second patient: the interval stays."""
    values = np.random.default_rng(3).normal(size=20)
    twice, whose = np.repeat(values, 2), [f"p{i // 2}" for i in range(40)]
    alone = bootstrap(lambda i: float(values[i].mean()), 20)
    found = bootstrap(lambda i: float(twice[i].mean()), 40, of_patient=whose)
    assert found.value == pytest.approx(alone.value)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    apart = bootstrap(lambda i: float(twice[i].mean()), 40)
    assert apart.high - apart.low < 0.85 * (alone.high - alone.low)


def test_it_is_the_same_twice_and_other_for_another_seed() -> None:
    values = np.random.default_rng(2).normal(size=30)
    a, b, c = (bootstrap(lambda i: float(values[i].mean()), 30, seed=s) for s in (0, 0, 1))
    assert a == b != c


def test_a_figure_that_does_not_exist_is_none() -> None:
    assert bootstrap(lambda i: float("nan"), 10, resamples=5) == Interval(None, None, None)
    assert bootstrap(lambda i: 0.5, 1) == Interval(0.5, None, None)


def test_resamples_without_the_figure_are_left_out() -> None:
    def statistic(i: np.ndarray) -> float:
        return float("nan") if (i == 0).any() else 2.0

    found = bootstrap(statistic, 5)
    assert (found.low, found.high) == (2.0, 2.0)
