"""Laws of Lin's concordance: its closed form, 1 for identity alone, and its interval's promise."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.evaluation.agreement.concordance import concordance
from strokediff.evaluation.agreement.icc import icc

A, B = [3.0, 10.0, 20.0, 31.0, 44.0], [4.0, 8.0, 19.0, 27.0, 41.0]


def test_the_closed_form() -> None:
    """2 s_ab / (s_a^2 + s_b^2 + (a - b)^2), and r times the bias correction."""
    cov = np.cov(A, B, bias=True)
    shift = np.mean(A) - np.mean(B)
    value = concordance(A, B).value
    assert value == pytest.approx(2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + shift**2))
    v = np.sqrt(cov[0, 0] / cov[1, 1])
    u2 = shift**2 / np.sqrt(cov[0, 0] * cov[1, 1])
    assert value == pytest.approx(np.corrcoef(A, B)[0, 1] * 2 / (v + 1 / v + u2))


def test_1_is_identity_alone() -> None:
    same = concordance(A, A)
    assert same.value == 1 and same.low is None and "agree exactly" in str(same.note)
    assert concordance(np.add(A, 1), A).value < 1
    assert concordance(np.multiply(A, 1.1), A).value < 1


def test_a_shared_scale_and_shift_and_the_order_of_readers_do_not_count() -> None:
    own = concordance(A, B)
    both = concordance(7 * np.array(A) + 3, 7 * np.array(B) + 3)
    for found in (both, concordance(B, A)):
        assert (found.value, found.low, found.high) == pytest.approx((own.value, own.low, own.high))


def test_it_is_nearly_icc_2_1_of_many_patients() -> None:
    """They differ in divisors by 1/n (Nickerson 1997)."""
    rng = np.random.default_rng(0)
    true = rng.uniform(20, 100, 500)
    a, b = true + rng.normal(4, 8, 500), true + rng.normal(0, 8, 500)
    found = icc(np.column_stack([a, b])).icc_2_1.value
    assert concordance(a, b).value == pytest.approx(found, abs=1e-3)


def test_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Means 52 and 50, variances 104 and 109, covariance 100, all normal."""
    rng, truth = np.random.default_rng(1), 2 * 100 / (104 + 109 + 4)
    found = []
    for _ in range(1500):
        true = rng.normal(50, 10, 60)
        a, b = true + 2 + rng.normal(0, 2, 60), true + rng.normal(0, 3, 60)
        found.append(concordance(a, b, level=0.9))
    assert np.mean([own.low <= truth <= own.high for own in found]) == pytest.approx(0.9, abs=0.03)


def test_what_does_not_exist_says_why() -> None:
    assert "at least 2 patients" in str(concordance([1], [2]).note)
    for b in ([5, 5, 5], [6, 6, 6]):
        found = concordance([5, 5, 5], b)
        assert found.value is None and "no volume varies" in str(found.note)
    constant = concordance([5, 5, 5], [4, 5, 6])
    assert constant.value == 0 and "all equal" in str(constant.note)
    two = concordance([5, 9], [4, 9])
    assert 0.9 < two.value < 1 and "at least 3 patients" in str(two.note)
    reversed_ = concordance([1, 2, 3], [3, 2, 1])
    assert reversed_.value == -1 and "reversed" in str(reversed_.note)
