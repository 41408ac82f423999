"""Laws: exact p values of small samples, Holm's table, and the right rate of false alarms."""

import itertools

import numpy as np
import pytest
from scipy import stats

from strokediff.evaluation.significance import against, holm, paired_p


def test_exact_p_of_five_patients_that_all_gain():
    # Every one of the 2^5 signs is as likely; all + and all - are the two extremes.
    assert paired_p([1.1, 2.2, 3.3, 4.4, 5.5], [1, 2, 3, 4, 5]) == pytest.approx(2 / 2**5)


def test_symmetric_in_the_two_methods():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 20)).tolist()
    assert paired_p(a, b) == pytest.approx(paired_p(b, a))


def test_no_difference_is_no_evidence():
    assert paired_p([1, 2, 3], [1, 2, 3]) == 1
    assert paired_p([None, 1.0], [2.0, None]) == 1


def test_patients_without_a_value_are_left_out_of_the_pair():
    assert paired_p([1.1, None, 2.2, 3.3, 9], [1, 5, 2, 3, None]) == paired_p(
        [1.1, 2.2, 3.3], [1, 2, 3]
    )


def test_holm_by_hand():
    # Holm (1979): 0.01 * 4, 0.02 * 3, then 0.03 * 2 = 0.06, and 0.04 may not fall below it.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_methods_without_a_difference_are_rarely_called_different():
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        reference = rng.normal(size=15)
        others = [(reference + rng.normal(size=15)).tolist() for _ in range(5)]
        found = against({str(k): (own, reference.tolist()) for k, own in enumerate(others)})
        alarms += any(d.significant for d in found.values())
    assert alarms <= 0.05 * 200 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_a_real_difference_is_seen_with_its_size():
    rng = np.random.default_rng(3)
    reference = rng.random(30)
    better = reference + 0.1 + 0.02 * rng.normal(size=30)
    known = reference.tolist()
    found = against({"better": (better.tolist(), known), "same": (known, known)})
    assert found["better"].significant and found["better"].mean == pytest.approx(0.1, abs=0.02)
    assert not found["same"].significant and found["same"].n == 30


def test_the_rank_sum_has_the_direction_that_the_mean_may_hide():
    # Differences -1, -2, -3, -4 and 40, ranks 1 to 5: 5 - 10 = -5, though the mean is 6.
    (found,) = against({"a": ([9, 8, 7, 6, 50], [10] * 5)}).values()
    assert (found.mean, found.rank_sum) == (6, -5)


@pytest.mark.parametrize(("patients", "times"), [(20, 40), (6, 8)])
def test_the_rank_sum_is_that_of_the_test(patients: int, times: int):
    # SciPy's statistic is the smaller of W+ and W-; ours is W+ - W-, zeros ranked as Pratt does.
    # With ties it counts all 2^n signs where n is at most 13, which takes a second a pair for 12.
    rng = np.random.default_rng(5)
    apart = np.round(rng.normal(0.3, 1.0, size=(times, patients)) * patients / 2) / 10
    assert (apart == 0).any(axis=1).sum() >= times // 4
    for d in apart:
        (found,) = against({"a": (d.tolist(), [0.0] * patients)}).values()
        ranks = stats.rankdata(np.abs(d))
        smaller = stats.wilcoxon(d, zero_method="pratt").statistic
        assert smaller == pytest.approx((ranks[d != 0].sum() - abs(found.rank_sum)) / 2)


@pytest.mark.parametrize(
    "apart", [[0, 1, 2, -3, 4, 5], [0, 0, -1, 2, -3, 4, 5], [0, 0, 0, 1, -1, 2, -4, 5, 6], [0, 2]]
)
def test_pairs_that_do_not_differ_take_the_lowest_ranks(apart: list[float]):
    """Pratt (1959): p is the share of all signs of the others with ranks as far from the middle.

    Wilcoxon's own way, without the pairs that do not differ, has other ranks and another p.
    """

    def exact(ranks: np.ndarray, signs: np.ndarray) -> float:
        every = np.array(list(itertools.product((-1, 1), repeat=len(ranks)))) @ ranks
        return float(np.mean(np.abs(every) >= abs(float(signs @ ranks)) - 1e-9))

    d = np.array(apart, float)
    differ = d != 0
    pratt = exact(stats.rankdata(np.abs(d))[differ], np.sign(d[differ]))
    wilcoxon = exact(stats.rankdata(np.abs(d[differ])), np.sign(d[differ]))
    assert paired_p(d.tolist(), [0.0] * len(d)) == pytest.approx(pratt)
    assert len(d) == 2 or pratt != wilcoxon, "a case that tells nothing"


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError):
        paired_p([1, 2], [1])
