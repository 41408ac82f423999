"""Laws: means take every patient the policy counts, and say how many were left out."""

import numpy as np
import pytest

from strokediff.evaluation.metrics import evaluate_case
from strokediff.evaluation.summary import summarize, volume_correlation

AFFINE = np.diag([1.0, 1.0, 5.0, 1.0])


def rows_of(*pairs):
    """One row per (predicted, true) number of voxels, laid out from the same corner."""
    rows = []
    for i, (n_pred, n_true) in enumerate(pairs):
        index = np.arange(1000).reshape(10, 10, 10)
        rows.append(
            evaluate_case(str(i), mask_pred=index < n_pred, mask_true=index < n_true, affine=AFFINE)
        )
    return rows


def test_counts_and_means_with_every_kind_of_empty_mask():
    summary = summarize(rows_of((0, 0), (0, 100), (100, 0), (50, 100), (100, 100)))
    assert summary.counts == {
        "n_cases": 5,
        "both_empty": 1,
        "pred_empty": 1,
        "truth_empty": 1,
        "vdp_excluded": 2,
        "auc_excluded": 5,
        "auc_mask_excluded": 2,
    }
    # Dice: 1, 0, 0, 2 * 50 / 150, 1
    assert summary.mean["dice"] == pytest.approx((1 + 0 + 0 + 2 / 3 + 1) / 5)
    assert summary.median["dice"] == pytest.approx(2 / 3)
    assert summary.sd["dice"] == pytest.approx(np.std([1, 0, 0, 2 / 3, 1], ddof=1))
    # VDP: 1, 0.5, 0 over the three with a true lesion
    assert (summary.mean["vdp"], summary.n["vdp"]) == (pytest.approx(0.5), 3)
    assert (summary.mean["auc"], summary.n["auc"]) == (None, 0)


def test_a_missed_lesion_cannot_improve_any_mean():
    good = rows_of((90, 100), (80, 100))
    missed = rows_of((90, 100), (0, 100))
    better, worse = summarize(good), summarize(missed)
    for name in ("dice", "iou", "recall", "precision"):
        assert worse.mean[name] < better.mean[name]
    for name in ("hd_mm", "hd95_mm", "vdp"):
        assert worse.mean[name] > better.mean[name]
    assert worse.n == better.n


def test_vc_by_hand():
    # Deviations (-1, 0, 1) and (-2, 1, 1): r = 3 / sqrt(2 * 6) = 0.866...
    r, note = volume_correlation([1, 2, 3], [1, 4, 4])
    assert (r, note) == (pytest.approx(np.sqrt(3) / 2), None)


@pytest.mark.parametrize(
    ("pred", "true", "note"),
    [
        ([1.0], [2.0], "at least 2"),
        ([1.0, 1.0], [2.0, 3.0], "all predicted volumes are equal"),
        ([1.0, 2.0], [3.0, 3.0], "all true volumes are equal"),
    ],
)
def test_vc_that_does_not_exist_says_why(pred, true, note):
    r, why = volume_correlation(pred, true)
    assert r is None and note in why


def test_one_patient_has_no_spread():
    summary = summarize(rows_of((50, 100)))
    assert summary.sd["dice"] is None and summary.vc is None
    assert "at least 2" in summary.vc_note


def test_no_patients_is_an_error():
    with pytest.raises(ValueError, match="at least one patient"):
        summarize([])
