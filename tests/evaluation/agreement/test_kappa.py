"""Laws of Cohen's kappa: other programs', its delta method, and where it does not exist."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.kappa import Decisions, cohens_kappa

TABLES = [[[20, 5], [10, 15]], [[88, 14, 18], [10, 40, 10], [2, 6, 12]], [[0, 7], [9, 4]]]


def kappa(p: np.ndarray) -> float:
    expected = p.sum(0) @ p.sum(1)
    return float((np.trace(p) - expected) / (1 - expected))


@pytest.mark.parametrize("table", TABLES)
def test_it_is_scikit_learns(table: list[list[int]]) -> None:
    rows, columns = np.indices(np.shape(table))
    a, b = (np.repeat(own.ravel(), np.ravel(table)) for own in (rows, columns))
    assert cohens_kappa(table).value == pytest.approx(cohen_kappa_score(a, b))


def test_the_interval_that_statsmodels_gives() -> None:
    """statsmodels 0.15.0, inter_rater.cohens_kappa, of the first two tables."""
    printed = ((0.15109229, 0.64890771), (0.39156370, 0.59148715))
    for table, (low, high) in zip(TABLES[:2], printed, strict=True):
        found = cohens_kappa(table)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-7)


@pytest.mark.parametrize("table", TABLES)
def test_its_variance_is_that_of_the_delta_method(table: list[list[int]]) -> None:
    """g' (diag p - p p') g / n, with the gradient g of kappa by central differences."""
    n, p = np.sum(table), np.array(table) / np.sum(table)
    gradient = np.zeros(p.size)
    for i in range(p.size):
        step = np.zeros(p.size)
        step[i] = 1e-6
        step = step.reshape(p.shape)
        gradient[i] = (kappa(p + step) - kappa(p - step)) / 2e-6
    flat = p.ravel()
    variance = gradient @ (np.diag(flat) - np.outer(flat, flat)) @ gradient / n
    found = cohens_kappa(table)
    half = min(found.high - found.value, found.value - found.low)
    assert half == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-4)


def test_it_is_the_same_for_the_readers_exchanged() -> None:
    one, other = Decisions(20, 5, 10, 15).kappa(), Decisions(20, 10, 5, 15).kappa()
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_decisions_are_counted() -> None:
    a, b = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 0, 1], bool)
    found = Decisions.of(a, b)
    assert found == Decisions(both=2, only_a=1, only_b=1, neither=1)
    assert found.n == 5 and found.observed == pytest.approx(0.6)


def test_what_does_not_exist_says_why() -> None:
    for same in (Decisions(9, 0, 0, 0), Decisions(0, 0, 0, 9)):
        assert same.kappa().value is None
        assert "decide alike of all" in str(same.kappa().note)
    perfect = Decisions(4, 0, 0, 5).kappa()
    assert perfect.value == 1 and perfect.low is None and "agree exactly" in str(perfect.note)
    opposed = Decisions(0, 9, 0, 0).kappa()
    assert opposed.value == 0 and opposed.low is None and "standard error is 0" in str(opposed.note)


def test_the_interval_ends_at_1() -> None:
    assert Decisions(30, 1, 0, 4).kappa().high == 1


@pytest.mark.parametrize("table", [[[1, 2]], [[0, 0], [0, 0]], [[1, -1], [2, 2]]])
def test_other_tables_are_refused(table: list[list[int]]) -> None:
    with pytest.raises(UsageError, match=r"Expected counts \(K, K\)"):
        cohens_kappa(table)
