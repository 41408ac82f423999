"""Conformal intervals: the finite-sample rank, coverage on seeded draws, and never below 0."""

import numpy as np
import pytest

from strokediff.inference.intervals import calibrate, spread_ml


def test_rank_by_hand() -> None:
    """19 scores 0.1 .. 1.9 and level 0.9: rank ceil(20 x 0.9) = 18."""
    scores = np.arange(1, 20) / 10
    found = np.exp(scores) * 11.0 - 1.0
    calibration = calibrate(found, np.full(19, 10.0), level=0.9)
    assert calibration.quantile == pytest.approx(1.8)


def test_coverage_on_exchangeable_patients() -> None:
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        true = rng.lognormal(2.5, 1.0, 41)
        found = (true + 1) * np.exp(rng.normal(0.1, 0.5, 41)) - 1
        low, high = calibrate(found[:40], true[:40]).interval_ml(found[40])
        hits.append(low <= true[40] <= high)
    assert 0.86 <= np.mean(hits) <= 0.96


def test_the_interval_holds_the_found_volume_and_is_never_negative() -> None:
    calibration = calibrate([0.0, 5.0], [20.0, 4.0])
    low, high = calibration.interval_ml(0.0)
    assert low == 0.0
    assert high > 0.0


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="as many found as true"):
        calibrate([1.0], [])


def test_spread_of_draws() -> None:
    """z standard deviations to either side, and never a negative volume."""
    assert spread_ml(10.0, 4.0, z=1.5) == (7.0, 13.0)
    assert spread_ml(1.0, 4.0, z=1.5) == (0.0, 4.0)
