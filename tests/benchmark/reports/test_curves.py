"""Laws: what is compared with a reference is an estimate of the same, and costs less."""

from __future__ import annotations

import pytest

from strokediff.benchmark.reports.curves import curves


@pytest.mark.parametrize("T", [250, 300])
def test_every_curve_rises_in_cost_and_ends_below_the_reference_of_a_few_draws(T: int) -> None:
    found = {curve.name: curve for curve in curves(T, draws=4)}
    for curve in found.values():
        spent = [point.evaluations() for point in curve.points]
        assert spent == sorted(spent)
        if curve.reference is not None and curve.name != "avg":
            assert spent[-1] < curve.reference.evaluations()
    printed = found["all, T_i = T/2"].reference
    assert printed is not None
    assert printed.evaluations() == 1 + 4 * 2 * (T // 2)
