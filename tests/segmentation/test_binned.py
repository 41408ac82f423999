"""Laws: 90 % are held in every bin, a higher level holds more, and mL are a unit like any other."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from strokediff.segmentation.binned import (
    SCALES,
    THRESHOLDS_ML,
    Bin,
    BinnedCalibration,
    Reach,
    binned_conformal,
)
from strokediff.segmentation.intervals import Measured, needed

Patients = tuple[list[Measured], list[float]]


def patients(n: int, rng: np.random.Generator) -> Patients:
    """Half have a lesion; small ones are missed, large ones off by a fifth, some are invented."""
    found, true = [], []
    for _ in range(n):
        t = rng.lognormal(2.3, 1.2) if rng.random() < 0.5 else 0.0
        v = max(0.0, t * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 1)) if t else 0.0
        if t and rng.random() < np.exp(-t / 3):
            v = 0.0
        elif not t and rng.random() < 0.2:
            v = rng.exponential(2)
        found.append(Measured(v, 0.3 * v + 2 + rng.exponential(2) + 0.3 * abs(v - t)))
        true.append(t)
    return found, true


def test_new_patients_lie_in_their_interval_as_often_as_promised_in_every_bin() -> None:
    rng = np.random.default_rng(0)
    held: dict[str, list[bool]] = {"nothing": [], "little": [], "much": []}
    for _ in range(120):
        calibration = binned_conformal(*patients(60, rng))
        for found, true in zip(*patients(40, rng), strict=True):
            low, high = calibration.interval_ml(found)
            v = found.volume_ml
            held["much" if v > 10 else "little" if v else "nothing"].append(low <= true <= high)
    for name, hits in held.items():
        assert 0.88 <= np.mean(hits) <= 0.97, name


def test_a_large_finding_has_a_narrower_interval_than_one_quantile_for_all_gives() -> None:
    """The errors of what is invented do not tell on what is large."""
    from strokediff.segmentation.intervals import conformal

    rng = np.random.default_rng(1)
    given = patients(80, rng)
    large = Measured(50.0, 20.0)
    low, high = binned_conformal(*given).interval_ml(large)
    plain_low, plain_high = conformal(*given, form="ratio").interval_ml(large)
    assert high - low < 0.6 * (plain_high - plain_low)
    nothing = binned_conformal(*given).interval_ml(Measured(0.0, 3.0))
    assert nothing[0] == 0 and 0 < nothing[1] < 5


@pytest.mark.parametrize("unit", [0.001, 7.0])
def test_volumes_in_another_unit_have_the_same_interval_in_it(unit: float) -> None:
    found, true = patients(60, np.random.default_rng(2))
    scaled = [Measured(unit * f.volume_ml, unit * f.doubt_ml) for f in found]
    one, other = binned_conformal(found, true), binned_conformal(scaled, [unit * t for t in true])
    for f, s in zip(found, scaled, strict=True):
        expected = [unit * end for end in one.interval_ml(f)]
        assert other.interval_ml(s) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_higher_level_holds_all_that_a_lower_one_does() -> None:
    """Each bin by the scale that it has: the quantile alone rises."""
    found, true = patients(200, np.random.default_rng(3))
    own = binned_conformal(found, true, 0.5).bins[0].reach
    wide = [
        BinnedCalibration(
            bins=(Bin(above_ml=-1, reach=own, quantile=q, n=200),), level=0.9
        ).interval_ml(Measured(20.0, 5.0))
        for q in np.quantile([own.score(f, t) for f, t in zip(found, true, strict=True)],
                             [0.3, 0.6, 0.9])
    ]  # fmt: skip
    assert wide[0][0] >= wide[1][0] >= wide[2][0] and wide[0][1] <= wide[1][1] <= wide[2][1]


@pytest.mark.parametrize("n", [1, 2, 8, 9, 17, 18, 40, 100, 300])
def test_no_bin_has_fewer_patients_than_the_level_needs_unless_all_are_too_few(n: int) -> None:
    found, true = patients(n, np.random.default_rng(n))
    calibration = binned_conformal(found, true)
    assert calibration.n == n
    assert calibration.enough == (n >= needed(0.9))
    assert len(calibration.bins) == 1 or calibration.enough
    assert ("too few to promise it" in calibration.kind) != calibration.enough


@pytest.mark.parametrize(
    "volumes",
    [[0.0] * 30, [5.0] * 30, [0.0] * 15 + [5.0] * 15, [1.0] * 20 + [5.0] * 20, [0.0] * 3 + [1.0]],
    ids=str,
)  # fmt: skip
def test_equal_volumes_make_no_empty_bin(volumes: list[float]) -> None:
    calibration = binned_conformal([Measured(v, 1.0) for v in volumes], [2.0] * len(volumes))
    assert sum(one.n for one in calibration.bins) == len(volumes)
    for v in volumes:
        low, high = calibration.interval_ml(Measured(v, 1.0))
        assert low - 1e-9 <= 2.0 <= high + 1e-9


def test_a_small_doubt_alone_promises_little_where_nothing_is_found() -> None:
    """Ten patients share a bin; large findings are off by a share of themselves."""
    found = [Measured(10.0 * n, 5.0 * n) for n in range(10)]
    calibration = binned_conformal(found, [1.2 * f.volume_ml + 1 for f in found])
    assert len(calibration.bins) == 1
    low, high = calibration.interval_ml(Measured(0.0, 0.01))
    assert low == 0 and high > 5


def test_a_scale_that_expects_no_error_is_not_taken_where_there_is_one() -> None:
    """Nothing found and no doubt at all: the volume and the doubt are 0, the truth is not."""
    calibration = binned_conformal([Measured(0.0, 0.0)] * 20, [3.0] * 20)
    assert calibration.bins[0].reach == SCALES["size"](0.0)
    assert calibration.interval_ml(Measured(0.0, 0.0)) == (0.0, 3.0)
    assert Reach(by_volume=1.0).score(Measured(0.0), 1.0) == float("inf")
    assert Reach(by_volume=1.0).score(Measured(0.0), 0.0) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"bins": []},
        {"bins": [{"above_ml": 0, "reach": {"ml": 1}, "quantile": 1, "n": 9}] * 2},
        {"bins": [{"above_ml": -1, "reach": {"ml": -1}, "quantile": 1, "n": 9}]},
        {"bins": [{"above_ml": -1, "reach": {"ml": 1}, "quantile": float("nan"), "n": 9}]},
        {"bins": [{"above_ml": -1, "reach": {"ml": 1}, "quantile": 1, "n": 0}]},
        {"level": 1.0},
    ],
    ids=str,
)
def test_what_no_patients_can_give_is_refused(wrong: dict[str, object]) -> None:
    sound = binned_conformal([Measured(1.0)], [2.0]).model_dump()
    with pytest.raises(ValidationError):
        BinnedCalibration.model_validate({**sound, **wrong})
    with pytest.raises(ValueError, match="as many found as true"):
        binned_conformal([Measured(1.0)], [])


def test_the_probability_of_a_volume_is_how_often_it_is_that_large() -> None:
    """Of new patients like the calibration's: the mean of P(V >= c) is the share with V >= c."""
    rng = np.random.default_rng(3)
    own = binned_conformal(*patients(400, rng))
    found, true = patients(4000, rng)
    told = [{e.volume_ml: e.probability for e in own.exceeds(one)} for one in found]
    for c in THRESHOLDS_ML:
        mean = float(np.mean([one[c] for one in told]))
        assert mean == pytest.approx(float((np.array(true) >= c).mean()), abs=0.03), c


def test_probabilities_fall_with_the_volume_and_agree_with_the_interval() -> None:
    errors = tuple(np.linspace(-1, 1, 39))
    own = BinnedCalibration(
        level=0.9,
        bins=(Bin(above_ml=-1, reach=Reach(by_volume=1.0), quantile=0.95, n=39, errors=errors),),
    )
    told = [one.probability for one in own.exceeds(Measured(50.0))]
    assert told == sorted(told, reverse=True)
    assert told[THRESHOLDS_ML.index(50.0)] == 0.5125 and own.exceeds(Measured(50.0))[0].n == 39
    low, high = own.interval_ml(Measured(50.0))
    assert own.bins[0].exceeds(Measured(50.0), low) == pytest.approx(0.95, abs=0.04)
    assert own.bins[0].exceeds(Measured(50.0), high) == pytest.approx(0.05, abs=0.04)


def test_a_calibration_without_errors_gives_no_probability_and_a_wrong_number_is_refused() -> None:
    plain = Bin(above_ml=-1, reach=Reach(ml=1.0), quantile=1.0, n=3)
    assert BinnedCalibration(level=0.9, bins=(plain,)).exceeds(Measured(5.0)) == []
    with pytest.raises(ValueError, match="expected none or 3 finite errors, got 2"):
        Bin(above_ml=-1, reach=Reach(ml=1.0), quantile=1.0, n=3, errors=(0.0, 1.0))
