"""Conformal intervals: the finite-sample rank, coverage on seeded draws, and never below 0."""

import numpy as np
import pytest

from strokediff.segmentation.intervals import (
    FORMS,
    Calibration,
    Measured,
    conformal,
    spread_ml,
)


def test_rank_by_hand() -> None:
    """19 scores 0.1 .. 1.9 and level 0.9: rank ceil(20 x 0.9) = 18."""
    scores = np.arange(1, 20) / 10
    found = [Measured(v) for v in np.exp(scores) * 11.0 - 1.0]
    calibration = conformal(found, np.full(19, 10.0).tolist(), level=0.9)
    assert calibration.quantile == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("n", "level", "rank"),
    [
        *((9, 0.9, 9), (10, 0.9, 10), (19, 0.9, 18), (20, 0.9, 19), (39, 0.9, 36), (40, 0.9, 37)),
        *((19, 0.5, 10), (20, 0.5, 11), (3, 0.9, 3), (1, 0.9, 1), (99, 0.95, 95), (100, 0.95, 96)),
    ],
)
def test_the_rank_is_the_ceiling_of_n_plus_1_times_the_level(
    n: int, level: float, rank: int
) -> None:
    """Errors 1, 2, ... n mL. With n in place of n + 1 fewer than `level` would be covered."""
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1)).tolist()
    found = conformal([Measured(50.0 + v) for v in scores], [50.0] * n, level, form="difference")
    assert found.quantile == rank
    assert rank == n or rank / (n + 1) >= level > (rank - 1) / (n + 1)


@pytest.mark.parametrize(
    ("form", "quantile"),
    [
        *(("ratio", 101.0), ("ratio", float("inf")), ("difference", 1e7)),
        *(("doubt", float("nan")), ("doubt", -1.0)),
    ],
)
def test_a_quantile_that_no_head_can_have_is_refused(form: str, quantile: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        Calibration.model_validate({"form": form, "quantile": quantile, "level": 0.9, "n": 20})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("q", [0.0, 0.3, 2.0])
def test_the_interval_is_all_volumes_with_a_small_enough_score(form: str, q: float) -> None:
    """A truth just inside the ends scores less than q, one just outside more."""
    found = Measured(12.0, 5.0)
    low, high = FORMS[form].interval(found, q)
    assert low <= 12.0 <= high
    for end, outwards in ((low, -1), (high, 1)):
        if end + outwards * 1e-3 > -1:
            assert FORMS[form].score(found, end + outwards * 1e-3) > q
        if low < high:
            assert FORMS[form].score(found, end - outwards * 1e-6) < q


@pytest.mark.parametrize("form", FORMS)
def test_coverage_on_exchangeable_patients(form: str) -> None:
    """Whatever the form, 90 % or a little more of new patients lie inside."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        true = rng.lognormal(2.5, 1.0, 41)
        found = [
            Measured((t + 1) * np.exp(rng.normal(0.1, 0.5)) - 1, rng.uniform(0, t)) for t in true
        ]
        low, high = conformal(found[:40], true[:40].tolist(), form=form).interval_ml(found[40])
        hits.append(low <= true[40] <= high)
    assert 0.86 <= np.mean(hits) <= 0.96


def test_the_interval_holds_the_found_volume_and_is_never_negative() -> None:
    calibration = conformal([Measured(0.0), Measured(5.0)], [20.0, 4.0])
    low, high = calibration.interval_ml(Measured(0.0))
    assert low == 0.0
    assert high > 0.0


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="as many found as true"):
        conformal([Measured(1.0)], [])


def test_spread_of_draws() -> None:
    """z standard deviations to either side, and never a negative volume."""
    assert spread_ml(10.0, 4.0, z=1.5) == (7.0, 13.0)
    assert spread_ml(1.0, 4.0, z=1.5) == (0.0, 4.0)


@pytest.mark.parametrize(("n", "enough"), [(1, False), (8, False), (9, True), (40, True)])
def test_ninety_per_cent_need_nine_patients(n: int, enough: bool) -> None:
    found = conformal([Measured(float(i)) for i in range(n)], [5.0] * n)
    assert found.enough is enough
    assert ("too few to promise it" in found.kind) is not enough
