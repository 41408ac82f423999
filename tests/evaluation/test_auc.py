"""Laws of both AUC: closed forms, what they do not depend on, and what air makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from strokediff.evaluation.auc import area_of_mask, area_under_roc, areas
from strokediff.evaluation.metrics import evaluate

Mask = NDArray[np.bool_]
MASKS = hnp.arrays(bool, (4, 5, 3))
HEAD = np.zeros((10, 10, 4), dtype=bool)
HEAD[1:9, 1:9] = True
TRUE, PRED = np.zeros((2, *HEAD.shape), dtype=bool)
TRUE[3:6, 3:6, 1:3] = True
PRED[4:7, 3:6, 1:3] = True


def of_mask(pred: Mask, true: Mask, within: Mask | None = None) -> float | None:
    return areas(mask_pred=pred, mask_true=true, within=within)[1]


def test_that_of_a_mask_by_hand() -> None:
    """Recall 6 / 10 and specificity 98 / 100."""
    assert area_of_mask(tp=6, fp=2, fn=4, voxels=110) == pytest.approx((0.6 + 0.98) / 2)
    assert area_of_mask(tp=0, fp=0, fn=4, voxels=110) == 0.5
    assert area_of_mask(tp=4, fp=0, fn=0, voxels=110) == 1.0
    assert area_of_mask(tp=0, fp=100, fn=10, voxels=110) == 0.0
    assert area_of_mask(tp=0, fp=3, fn=0, voxels=110) is None
    assert area_of_mask(tp=70, fp=0, fn=40, voxels=110) is None


@settings(deadline=None, derandomize=True)
@given(pred=MASKS, true=MASKS)
def test_that_of_a_mask_is_that_of_its_curve(pred: Mask, true: Mask) -> None:
    """The mask as probabilities of 0 and 1, ranked; and by scikit-learn's trapezoids."""
    metrics = pytest.importorskip("sklearn.metrics")
    found = of_mask(pred, true)
    ranked = area_under_roc(prob=pred.astype(float), mask_true=true)
    if found is None:
        assert ranked is None and (true.all() or not true.any())
        return
    assert found == pytest.approx(ranked)
    assert found == pytest.approx(metrics.roc_auc_score(true.ravel(), pred.ravel().astype(float)))
    fpr, tpr, _ = metrics.roc_curve(true.ravel(), pred.ravel().astype(float))
    assert found == pytest.approx(metrics.auc(fpr, tpr))


@settings(deadline=None, derandomize=True)
@given(pred=MASKS, true=MASKS)
def test_lesion_and_the_rest_may_change_places(pred: Mask, true: Mask) -> None:
    """It weighs both classes alike; a mask turned round has what is missing to 1."""
    found = of_mask(pred, true)
    if found is not None:
        assert of_mask(~pred, ~true) == pytest.approx(found)
        assert of_mask(~pred, true) == pytest.approx(1 - found)


@settings(deadline=None, derandomize=True)
@given(pred=MASKS, true=MASKS, shift=st.integers(1, 3))
def test_the_place_of_a_voxel_makes_no_difference(pred: Mask, true: Mask, shift: int) -> None:
    rolled = [np.roll(mask, shift, axis=0)[:, ::-1] for mask in (pred, true)]
    assert of_mask(*rolled) == of_mask(pred, true)


@settings(deadline=None, derandomize=True)
@given(pred=MASKS, true=MASKS, many=st.integers(2, 3))
def test_finer_voxels_make_no_difference(pred: Mask, true: Mask, many: int) -> None:
    found = of_mask(pred, true)
    finer = of_mask(*(mask.repeat(many, axis=0) for mask in (pred, true)))
    assert finer == (None if found is None else pytest.approx(found))


@pytest.mark.parametrize(("air", "by"), [(1, 0.0015), (8, 0.0065), (100, 0.0117)])
def test_air_raises_it_by_what_it_dilutes(air: int, by: float) -> None:
    """FP / 2 (1 / n - 1 / (n + a)), of n other voxels and a of air: here 6, 238 and 32 a slab.

    With air enough it is (1 + recall) / 2, whatever else is marked.
    """
    head = [mask[HEAD].reshape(8, 8, 4) for mask in (PRED, TRUE)]
    wide = [np.pad(mask, ((0, air), (0, 0), (0, 0))) for mask in head]
    n, a = int((~head[1]).sum()), air * 8 * 4
    fp = int((head[0] & ~head[1]).sum())
    bare, diluted = of_mask(head[0], head[1]), of_mask(wide[0], wide[1])
    assert bare is not None and diluted is not None
    assert diluted - bare == pytest.approx(fp / 2 * (1 / n - 1 / (n + a)))
    assert diluted - bare == pytest.approx(by, abs=5e-5)
    recall = (head[0] & head[1]).sum() / head[1].sum()
    assert bare < diluted < (1 + recall) / 2
    assert (diluted == pytest.approx((1 + recall) / 2, abs=2e-3)) == (air == 100)


def test_air_raises_that_of_probabilities_too() -> None:
    rng = np.random.default_rng(0)
    prob = np.where(HEAD, np.clip(0.3 * PRED + 0.4 * rng.random(HEAD.shape), 0.01, 1), 0.0)
    inside = area_under_roc(prob=prob[HEAD], mask_true=TRUE[HEAD])
    whole = area_under_roc(prob=prob, mask_true=TRUE)
    assert inside is not None and whole is not None
    others, air = int((HEAD & ~TRUE).sum()), int((~HEAD).sum())
    # Air ranks below every lesion voxel: it adds pairs that are all won.
    assert whole == pytest.approx((inside * others + air) / (others + air))
    assert whole > inside + 0.05


def test_within_the_head_air_makes_no_difference() -> None:
    prob = 0.5 * PRED + 0.25 * HEAD
    wide = [np.pad(array, ((0, 50), (0, 0), (0, 0))) for array in (PRED, TRUE, prob, HEAD)]
    pred, true, p, head = wide
    expected = areas(mask_pred=PRED, mask_true=TRUE, prob=prob, within=HEAD)
    assert areas(mask_pred=pred, mask_true=true, prob=p, within=head) == expected
    assert expected[1] == of_mask(PRED[HEAD], TRUE[HEAD])


def test_no_error_outside_the_region_is_lost() -> None:
    """A lesion missed there counts as missed, one marked there as false."""
    elsewhere = HEAD & False
    elsewhere[0, 0, 0] = True
    clean = of_mask(TRUE, TRUE, HEAD)
    assert clean == 1.0
    assert of_mask(TRUE, TRUE | elsewhere, HEAD) == pytest.approx((18 / 19 + 1) / 2)
    others = int((HEAD & ~TRUE).sum()) + 1
    assert of_mask(TRUE | elsewhere, TRUE, HEAD) == pytest.approx((1 + 1 - 1 / others) / 2)


def test_all_voxels_are_the_default_and_no_other_figure_knows_the_region() -> None:
    prob = 0.5 * PRED + 0.25 * HEAD
    whole = evaluate(PRED, TRUE, spacing_mm=(1, 1, 5), prob=prob)
    same = evaluate(PRED, TRUE, spacing_mm=(1, 1, 5), prob=prob, within=np.ones_like(HEAD))
    inside = evaluate(PRED, TRUE, spacing_mm=(1, 1, 5), prob=prob, within=HEAD.astype(np.uint8))
    assert whole == same != inside
    assert whole.auc is not None and inside.auc is not None and inside.auc < whole.auc
    assert whole.auc_mask is not None and inside.auc_mask is not None
    assert inside.auc_mask < whole.auc_mask
    for name in ("dice", "iou", "recall", "precision", "hd_mm", "hd95_mm", "vdp"):
        assert getattr(whole, name) == getattr(inside, name)
