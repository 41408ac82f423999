"""Laws: the published table of Shrout and Fleiss; what shifts and scales do; exact intervals."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.icc import MeanSquares, icc

SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
"""Table 2 of Shrout and Fleiss (1979): six targets, four judges."""


def cohort(n: int, k: int, seed: int, *, between: float, reader: float, noise: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    patients, readers = rng.normal(40, between, (n, 1)), rng.normal(0, reader, (1, k))
    return np.asarray(patients + readers + rng.normal(0, noise, (n, k)))


def test_the_published_mean_squares() -> None:
    """Their Table 3."""
    found = MeanSquares.of(SHROUT_FLEISS)
    got = [found.rows, found.columns, found.error, found.within]
    assert got == pytest.approx([11.24, 32.49, 1.02, 6.26], abs=0.005)


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        ("icc_1_1", 0.17, -0.13, 0.72),
        ("icc_2_1", 0.29, 0.02, 0.76),
        ("icc_3_1", 0.71, 0.34, 0.95),
    ],
)
def test_the_published_correlations(name: str, value: float, low: float, high: float) -> None:
    """Their Table 4; the intervals are those that R's psych prints for the same data."""
    found = getattr(icc(SHROUT_FLEISS), name)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=0.005)


def test_mean_squares_are_those_of_least_squares() -> None:
    """By regression on dummy variables: what adding the readers, then the patients, explains."""
    x = cohort(7, 3, 0, between=10, reader=3, noise=2)
    n, k = x.shape
    ones, rows = np.ones((n * k, 1)), np.kron(np.eye(n), np.ones((k, 1)))
    columns = np.kron(np.ones((n, 1)), np.eye(k))

    def left(*designs: np.ndarray) -> float:
        design, y = np.hstack([ones, *designs]), x.ravel()
        return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())

    found = MeanSquares.of(x)
    assert found.columns * (k - 1) == pytest.approx(left() - left(columns))
    assert found.rows * (n - 1) == pytest.approx(left(columns) - left(columns, rows))
    assert found.error * (n - 1) * (k - 1) == pytest.approx(left(columns, rows))
    assert found.within * n * (k - 1) == pytest.approx(left(rows))


def test_consistency_ignores_a_readers_bias_and_agreement_does_not() -> None:
    x = cohort(20, 2, 1, between=10, reader=0, noise=2)
    before, after = icc(x), icc(x + np.array([0.0, 8.0]))
    assert after.icc_3_1.value == pytest.approx(before.icc_3_1.value)
    assert after.icc_2_1.value < before.icc_2_1.value - 0.1
    assert after.icc_1_1.value < before.icc_1_1.value - 0.1


@pytest.mark.parametrize("name", ["icc_1_1", "icc_2_1", "icc_3_1"])
def test_no_scale_or_common_shift_or_order_of_readers_counts(name: str) -> None:
    x = cohort(15, 3, 2, between=10, reader=3, noise=4)
    own = getattr(icc(x), name)
    for other in (5 * x, x + 100, x[:, ::-1], x[::-1]):
        found = getattr(icc(other), name)
        assert (found.value, found.low, found.high) == pytest.approx((own.value, own.low, own.high))


@pytest.mark.parametrize(("name", "share"), [("icc_2_1", 100 / 113), ("icc_3_1", 100 / 104)])
def test_intervals_hold_the_truth_as_often_as_they_say(name: str, share: float) -> None:
    """sigma^2 of patients 100, readers 9, noise 4; ten readers, as one cannot know a variance."""
    found = [
        getattr(icc(cohort(25, 10, seed, between=10, reader=3, noise=2), level=0.9), name)
        for seed in range(600)
    ]
    assert np.mean([own.low <= share <= own.high for own in found]) == pytest.approx(0.9, abs=0.035)


def test_what_does_not_exist_says_why() -> None:
    for same in ([[5.0, 5.0]] * 4, [[5.0, 8.0]] * 4):
        found = icc(same)
        assert found.icc_3_1.value is None
        assert "no volume varies from patient to patient" in str(found.icc_3_1.note)
    one = icc([[5.0, 6.0]])
    assert one.icc_2_1.value is None and "at least 2 patients" in str(one.icc_2_1.note)
    swapped = icc([[1.0, 2.0], [2.0, 1.0]])
    assert swapped.icc_2_1.value is None and "cancel" in str(swapped.icc_2_1.note)


def test_readers_who_agree_exactly_have_1_and_no_interval() -> None:
    x = np.array([0.1, 0.7, 1 / 3, 250.0])
    found = icc(np.column_stack([x, x]))
    for own in (found.icc_1_1, found.icc_2_1, found.icc_3_1):
        assert own.value == pytest.approx(1) and own.low is None
        assert "agree exactly" in str(own.note)


@pytest.mark.parametrize("wrong", [[1.0, 2.0], [[1.0], [2.0]], [[1.0, np.nan], [2.0, 3.0]]])
def test_other_shapes_and_values_are_refused(wrong: list[object]) -> None:
    with pytest.raises(UsageError, match="a row a patient and a column a reader"):
        icc(wrong)
