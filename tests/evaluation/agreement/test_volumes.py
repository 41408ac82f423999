"""Laws of `agreement`: nothing is ever NaN, all that is missing has a reason, order mirrors."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.estimate import Estimate
from strokediff.evaluation.agreement.volumes import Agreement, agreement

VOLUMES = st.lists(
    st.tuples(*[st.sampled_from([0.0, 1e-9, 0.3, 1 / 3, 5.0, 5 + 1e-10, 70.0, 1e6])] * 2),
    min_size=1,
    max_size=6,
)


def estimates(found: Agreement) -> list[Estimate]:
    both = (found.difference, found.ratio)
    limits = [e for own in both for e in (own.bias, own.lower, own.upper, own.spread.slope)]
    kappas = [found.kappa(), *(found.kappa(v) for v in found.at_least)]
    return [*limits, *vars(found.icc).values(), found.ccc, *kappas]


@settings(max_examples=150, deadline=None)
@given(VOLUMES)
def test_no_figure_is_nan_and_none_is_missing_without_a_reason(
    pairs: list[tuple[float, float]],
) -> None:
    found = agreement(*np.transpose(pairs))
    json.dumps(asdict(found), allow_nan=False)
    for own in estimates(found):
        if own.value is None or own.low is None:
            assert own.note
        else:
            assert own.low <= own.value + 1e-9 <= own.high + 2e-9


def test_a_volume_at_the_threshold_is_reached() -> None:
    found = agreement([0, 10, 9.9, 80], [0, 10, 10, 20], thresholds=[50, 10, 10.0])
    assert list(found.at_least) == [10, 50]
    ten, fifty = found.at_least.values()
    assert (ten.both, ten.only_a, ten.only_b, ten.neither) == (2, 0, 1, 1)
    assert (fifty.both, fifty.only_a, fifty.neither) == (0, 1, 3)
    assert (found.lesion.both, found.lesion.neither) == (3, 1)


def test_the_other_order_is_the_mirror() -> None:
    a, b = [0, 12, 35, 80, 3], [0.4, 10, 30, 64, 0]
    one, other = agreement(a, b), agreement(b, a)
    assert other.difference.bias.value == pytest.approx(-one.difference.bias.value)
    assert (other.lesion.only_a, other.lesion.only_b) == (one.lesion.only_b, one.lesion.only_a)
    for name in ("icc_1_1", "icc_2_1", "icc_3_1"):
        x, y = getattr(one.icc, name), getattr(other.icc, name)
        assert (x.value, x.low, x.high) == pytest.approx((y.value, y.low, y.high))
    assert one.ccc.value == pytest.approx(other.ccc.value)
    assert one.kappa().value == pytest.approx(other.kappa().value)


def test_the_ratio_is_read_where_the_spread_grows() -> None:
    rng, b = np.random.default_rng(0), np.linspace(5, 120, 60)
    assert agreement(b * np.exp(rng.normal(0, 0.2, 60)), b).spread_grows
    assert not agreement(b + rng.normal(0, 2, 60), b).spread_grows


def test_thresholds_are_above_0() -> None:
    with pytest.raises(UsageError, match="expected volumes above 0, got 0"):
        agreement([1, 2], [1, 2], thresholds=[0, 10])
