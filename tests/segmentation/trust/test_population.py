"""Laws: what nine in ten patients have is like them; what lies far outside is not."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.segmentation.trust.features import FEATURES
from strokediff.segmentation.trust.population import FEWEST, LEAST_LEVEL, Population


def scans(n: int, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [{name: float(rng.normal(20, 3)) for name in FEATURES} for _ in range(n)]


def test_of_new_scans_of_the_same_population_about_one_in_twenty_is_unlike() -> None:
    shares = []
    for seed in range(40):
        known = Population.of(scans(60, seed))
        shares.append(np.mean([known.unlikeness(one) > 1 for one in scans(50, 1000 + seed)]))
    assert 0.02 < np.mean(shares) < 0.12


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_alone_can_make_a_scan_unlike(name: str) -> None:
    known = Population.of(scans(60))
    middle = {own: quantiles[1] for own, quantiles in known.features.items()}
    assert known.unlikeness(middle) == 0
    found = known.unlike({**middle, name: 100.0})
    assert next(iter(found)) == name and found[name] > 1 and not sum([*found.values()][1:])
    farther = known.unlikeness({**middle, name: 200.0})
    assert farther > known.unlikeness({**middle, name: 100.0})
    assert known.unlikeness({**middle, name: -60.0}) == pytest.approx(
        found[name], rel=0.3
    )  # below as above


def test_equal_scans_allow_what_means_nothing() -> None:
    """All have slices of 5 mm: 5.2 mm is no other scan, 9 mm is."""
    known = Population.of([{"slice thickness": 5.0}] * 20)
    assert known.level == LEAST_LEVEL
    assert known.unlikeness({"slice thickness": 5.2}) < 1 < known.unlikeness({"slice thickness": 9})


def test_features_that_one_side_does_not_know_are_passed_over() -> None:
    known = Population.of([*scans(30), {}])
    assert known.n == 30
    assert known.unlikeness({}) == 0
    assert known.unlikeness({"of another version": 1e9}) == 0
    other = known.model_copy(update={"features": {"of another version": (0.0, 1.0, 2.0)}})
    assert other.unlikeness(scans(1)[0]) == 0


def test_too_few_scans_are_no_population() -> None:
    with pytest.raises(ValueError, match=f"{FEWEST} scans or more, got 3"):
        Population.of([*scans(3), {}, {}, {}, {}, {}, {}, {}, {}])
