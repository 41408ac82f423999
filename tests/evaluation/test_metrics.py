"""Laws: the metrics equal hand-computed values, obey the empty-mask policy and their symmetries."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strokediff.errors import UsageError
from strokediff.evaluation.auc import area_under_roc
from strokediff.evaluation.metrics import (
    METRICS,
    Confusion,
    evaluate,
    evaluate_case,
)

SPACING = (0.5, 0.5, 5.0)
AFFINE = np.diag([*SPACING, 1.0])
SHAPE = (6, 8, 12)
DIAGONAL = np.sqrt(3.0**2 + 4.0**2 + 60.0**2)  # 6 x 0.5, 8 x 0.5 and 12 x 5 mm
LESION = np.zeros(SHAPE, dtype=bool)
LESION[1:5, 2:6, 3:8] = True
EMPTY = np.zeros(SHAPE, dtype=bool)

masks = hnp.arrays(bool, (4, 5, 3))


def score(pred, true, prob=None, affine=AFFINE):
    return evaluate_case("p", mask_pred=pred, mask_true=true, affine=affine, prob=prob)


def test_two_boxes_by_hand():
    # Truth 4 x 4 x 5 = 80 voxels, prediction shifted by one voxel in x: 3 x 4 x 5 = 60 in common,
    # 20 false each way. A voxel is 0.5 x 0.5 x 5 = 1.25 mm3, so both are 0.1 mL.
    pred = np.zeros(SHAPE, dtype=bool)
    pred[2:6, 2:6, 3:8] = True
    m = score(pred, LESION)
    assert m.dice == pytest.approx(0.75)
    assert m.iou == pytest.approx(0.6)
    assert m.recall == pytest.approx(0.75)
    assert m.precision == pytest.approx(0.75)
    assert m.volume_pred_ml == pytest.approx(0.1)
    assert m.volume_true_ml == pytest.approx(0.1)
    assert m.vdp == 0
    assert m.hd_mm == pytest.approx(0.5)  # one voxel in x
    assert m.hd95_mm == pytest.approx(0.5)
    assert m.auc is None


def test_a_prediction_of_half_the_lesion_by_hand():
    pred = LESION.copy()
    pred[:, :, 5:] = False  # slices 3 and 4 of 3..7: 32 of 80 voxels
    m = score(pred, LESION)
    assert (m.recall, m.precision) == (pytest.approx(0.4), 1)
    assert m.dice == pytest.approx(64 / 112)
    assert m.iou == pytest.approx(0.4)
    assert m.vdp == pytest.approx(0.6)
    assert m.hd_mm == pytest.approx(15.0)  # slice 7 to slice 4, 3 x 5 mm


@pytest.mark.parametrize(
    ("pred", "true", "overlap", "distance_mm", "vdp"),
    [
        pytest.param(EMPTY, EMPTY, 1.0, 0.0, None, id="both-empty"),
        pytest.param(EMPTY, LESION, 0.0, DIAGONAL, 1.0, id="missed-lesion"),
        pytest.param(LESION, EMPTY, 0.0, DIAGONAL, None, id="invented-lesion"),
        pytest.param(LESION, LESION, 1.0, 0.0, 0.0, id="perfect"),
    ],
)
def test_the_policy_for_empty_masks(pred, true, overlap, distance_mm, vdp):
    m = score(pred, true)
    assert (m.dice, m.iou, m.recall, m.precision) == (overlap,) * 4
    assert m.hd_mm == m.hd95_mm == pytest.approx(distance_mm)
    assert m.vdp == vdp
    assert (m.pred_empty, m.truth_empty) == (not pred.any(), not true.any())


def test_no_finite_distance_is_worse_than_a_missed_lesion():
    a, b = EMPTY.copy(), EMPTY.copy()
    a[0, 0, 0] = b[-1, -1, -1] = True
    assert score(a, b).hd_mm < score(EMPTY, b).hd_mm


def test_full_masks():
    full = np.ones(SHAPE, dtype=bool)
    m = score(full, full, prob=np.full(SHAPE, 0.9))
    assert (m.dice, m.hd_mm, m.vdp, m.auc) == (1.0, 0.0, 0.0, None)


def test_lesion_at_the_border_keeps_its_volume():
    edge = EMPTY.copy()
    edge[0, :, :] = True
    assert score(edge, edge).volume_pred_ml == pytest.approx(8 * 12 * 1.25 / 1000)


def test_volume_uses_the_determinant_of_a_sheared_affine():
    affine = AFFINE.copy()
    affine[:3, 2] = (0.0, 2.0, 5.0)  # the shear adds no volume
    assert score(LESION, LESION, affine=affine).volume_true_ml == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("prob", "auc"),
    [
        # Lesion voxels have 0.8 and 0.4; the others 0.6, 0.4 and 0.1. Of 6 pairs, 0.8 wins 3;
        # 0.4 loses 1, ties 1 (1/2), wins 1: (3 + 1.5) / 6.
        ([0.8, 0.4, 0.6, 0.4, 0.1], 0.75),
        ([0.9, 0.8, 0.2, 0.1, 0.0], 1.0),
        ([0.1, 0.1, 0.2, 0.3, 0.4], 0.0),
        ([0.5, 0.5, 0.5, 0.5, 0.5], 0.5),
    ],
)
def test_auc_by_hand(prob, auc):
    true = np.array([1, 1, 0, 0, 0], dtype=bool)
    assert area_under_roc(prob=np.array(prob), mask_true=true) == pytest.approx(auc)


@pytest.mark.parametrize("true", [EMPTY, ~EMPTY], ids=["empty-truth", "full-truth"])
def test_auc_does_not_exist_without_two_classes(true):
    assert score(LESION, true, prob=np.zeros(SHAPE)).auc is None


@settings(deadline=None, derandomize=True)
@given(prob=hnp.arrays(np.float32, 30, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_auc_equals_counting_all_pairs(prob):
    true = np.arange(30) % 3 == 0
    difference = prob[true][:, None] - prob[~true][None]
    expected = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert area_under_roc(prob=prob, mask_true=true) == pytest.approx(expected)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"expected mask_true of shape \(6, 8, 12\)"):
        score(LESION, LESION[:-1])
    with pytest.raises(ValueError, match="expected prob of shape"):
        score(LESION, LESION, prob=np.zeros((2, 2, 2)))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(a=masks, b=masks)
def test_symmetry_and_order(a, b):
    one, other = score(a, b), score(b, a)
    assert one.dice == other.dice and one.iou == other.iou
    assert one.recall == other.precision
    assert one.hd_mm == pytest.approx(other.hd_mm)
    assert one.hd95_mm == pytest.approx(other.hd95_mm)
    assert one.hd95_mm <= one.hd_mm + 1e-9
    assert one.dice == pytest.approx(2 * one.iou / (1 + one.iou))
    for name in ("dice", "iou", "recall", "precision"):
        assert 0 <= getattr(one, name) <= 1


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    a=masks,
    b=masks,
    prob=hnp.arrays(np.float32, (4, 5, 3), elements=st.floats(0, 1, width=32)),
    axes=st.permutations(range(3)),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_invariant_under_all_48_orientations(a, b, prob, axes, flips):
    affine = np.array([[0.5, 0, 0, 1], [0, 0.6, 2.0, 2], [0, -0.1, 5.0, 3], [0, 0, 0, 1]])
    move = np.zeros((4, 4))  # new index -> old index
    move[3, 3] = 1
    flipped = [i for i, f in enumerate(flips) if f]
    for new, old in enumerate(axes):
        move[old, new] = -1 if flips[new] else 1
        move[old, 3] = a.shape[old] - 1 if flips[new] else 0

    def moved(array):
        return np.flip(array.transpose(axes), flipped)

    before = score(a, b, prob=prob, affine=affine)
    after = score(moved(a), moved(b), prob=moved(prob), affine=affine @ move)
    for name in METRICS:
        assert getattr(after, name) == pytest.approx(getattr(before, name)), name


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_monai(seed):
    pytest.importorskip("monai", reason="MONAI (extra 'train') is the cross-check")
    import torch
    from monai.metrics import compute_hausdorff_distance, compute_iou, compute_roc_auc
    from monai.metrics.meandice import compute_dice
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.normal(size=(2, 30, 28, 10)), (0, 4, 4, 1))
    pred, true = fields > 0.02
    prob = rng.integers(0, 8, size=pred.shape) / 8.0
    m = score(pred, true, prob=prob)
    y_pred, y = (torch.from_numpy(x)[None, None].float() for x in (pred, true))
    kwargs = {"include_background": True, "spacing": SPACING}
    assert m.dice == pytest.approx(compute_dice(y_pred, y).item(), abs=1e-6)
    assert m.iou == pytest.approx(compute_iou(y_pred, y).item(), abs=1e-6)
    hd = compute_hausdorff_distance(y_pred, y, **kwargs).item()
    hd95 = compute_hausdorff_distance(y_pred, y, percentile=95, **kwargs).item()
    assert m.hd_mm == pytest.approx(hd, rel=1e-5)
    assert m.hd95_mm == pytest.approx(hd95, rel=1e-5)
    few = slice(0, 900)  # MONAI's AUC loops over voxels
    labels = true.ravel()[few]
    auc = compute_roc_auc(torch.from_numpy(prob.ravel()[few]), torch.from_numpy(labels).long())
    assert area_under_roc(prob=prob.ravel()[few], mask_true=labels) == pytest.approx(auc)


def test_evaluate_is_the_row_of_a_spacing_or_of_its_affine():
    pred, prob = np.roll(LESION, 1, axis=0), np.linspace(0, 1, LESION.size).reshape(SHAPE)
    expected = evaluate_case("", mask_pred=pred, mask_true=LESION, affine=AFFINE, prob=prob)
    assert evaluate(pred, LESION, spacing_mm=SPACING, prob=prob) == expected
    assert evaluate(pred.astype(np.uint8), LESION.tolist(), affine=AFFINE, prob=prob) == expected
    assert evaluate(pred, LESION, spacing_mm=SPACING).auc is None


def test_evaluate_knows_an_oblique_affine():
    """Turned by 30 degrees about z and sheared: distances are the world's, volume is |det|."""
    angle = np.pi / 6
    turned = AFFINE.copy()
    turned[:2, :2] = 0.5 * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    turned[1, 2] = 1.5
    one, other = np.zeros((2, *SHAPE), dtype=bool)
    one[1, 1, 1], other[1, 1, 3] = True, True
    found = evaluate(one, other, affine=turned)
    assert found.hd_mm == pytest.approx(np.hypot(2 * 1.5, 2 * 5.0))
    assert found.volume_pred_ml == pytest.approx(0.5 * 0.5 * 5.0 / 1000)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"spacing_mm": None}, "expected spacing_mm or affine, got neither"),
        ({"affine": AFFINE}, "expected spacing_mm or affine, got both"),
        ({"spacing_mm": (0.5, 0.5)}, "Expected three sizes above 0"),
        ({"spacing_mm": (0.5, 0.0, 5.0)}, "Expected three sizes above 0"),
        ({"spacing_mm": None, "affine": np.eye(3)}, r"affine: shape \(3, 3\). Expected \(4, 4\)"),
        ({"spacing_mm": None, "affine": np.diag([1.0, 0, 1, 1])}, "three independent axes"),
        ({"mask_pred": LESION[:, :, 3]}, r"mask_pred: shape \(6, 8\). Expected \(X, Y, Z\); a sin"),
        ({"mask_true": LESION[None]}, r"mask_true: shape \(1, 6, 8, 12\). Expected \(X, Y, Z\)"),
        ({"mask_true": LESION[1:]}, r"mask_true: shape \(5, 8, 12\). Expected that of mask_pred"),
        ({"prob": np.zeros((6, 8, 1))}, r"prob: shape \(6, 8, 1\). Expected that of mask_pred"),
        ({"within": np.ones((6, 8))}, r"within: shape \(6, 8\). Expected \(X, Y, Z\)"),
    ],
)
def test_evaluate_says_what_it_expects(changed, said):
    given = {"mask_pred": LESION, "mask_true": LESION, "spacing_mm": SPACING, **changed}
    with pytest.raises(UsageError, match=said):
        evaluate(**given)


@given(masks, masks)
def test_counts_have_the_volume_error_of_their_masks(pred, true):
    counts = Confusion.of(pred, true)
    assert counts.vdp == score(pred, true).vdp or counts.vdp == pytest.approx(score(pred, true).vdp)
    assert counts.dice == score(pred, true).dice
