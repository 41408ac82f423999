"""Laws of two masks: Dice and the shares by hand, the policy of empty ones, order mirrors."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.evaluation.agreement.masks import compare_kinds, compare_masks, same_kind
from strokediff.evaluation.metrics import evaluate
from strokediff.evaluation.unit import Unit

AFFINE = np.diag([0.5, 0.5, 5.0, 1.0])
A, B, NOTHING = np.zeros((3, 8, 8, 4), bool)
A[2:6, 2:6, 1:3] = True
B[3:6, 2:8, 1:3] = True


def test_the_figures_by_hand() -> None:
    """|A| 32, |B| 36, both 24, of 256 voxels of 1.25 mm3."""
    found = compare_masks("p", A, B, affine=AFFINE)
    shares = (found.dice, found.iou, found.a_in_b, found.b_in_a)
    assert shares == pytest.approx((48 / 68, 24 / 44, 24 / 32, 24 / 36))
    assert (found.volume_a_ml, found.volume_b_ml) == pytest.approx((0.04, 0.045))
    assert (found.difference_ml, found.mean_ml) == pytest.approx((-0.005, 0.0425))
    assert found.ratio == pytest.approx(32 / 36)
    expected = (32 * 36 + 224 * 220) / 256**2
    observed = (24 + 256 - 44) / 256
    assert found.kappa_voxels == pytest.approx((observed - expected) / (1 - expected))


def test_it_is_what_evaluate_says_and_the_other_order_is_the_mirror() -> None:
    one, other = (compare_masks("p", *pair, affine=AFFINE) for pair in ((A, B), (B, A)))
    scored = evaluate(A, B, affine=AFFINE)
    assert (one.dice, one.hd_mm, one.hd95_mm) == (scored.dice, scored.hd_mm, scored.hd95_mm)
    assert (other.dice, other.iou, other.hd95_mm) == (one.dice, one.iou, one.hd95_mm)
    assert (other.a_in_b, other.b_in_a) == (one.b_in_a, one.a_in_b)
    assert other.difference_ml == -one.difference_ml
    assert other.kappa_voxels == pytest.approx(one.kappa_voxels)


def test_empty_masks() -> None:
    neither = compare_masks("p", NOTHING, NOTHING, affine=AFFINE)
    assert (neither.dice, neither.a_in_b, neither.hd95_mm, neither.ratio) == (1, 1, 0, None)
    assert neither.kappa_voxels is None and not neither.marked
    for pair in ((A, NOTHING), (NOTHING, A)):
        found = compare_masks("p", *pair, affine=AFFINE)
        assert (found.dice, found.a_in_b, found.b_in_a, found.ratio) == (0, 0, 0, None)
        assert found.hd_mm > 15 and found.marked


def test_pixels_are_counted() -> None:
    found = compare_masks("p", A, B, affine=AFFINE, unit=Unit.PX)
    assert (found.volume_a_ml, found.volume_b_ml) == (32, 36)


def test_kinds_are_compared_each_and_joined() -> None:
    """The readers agree on where and not on what, but for half of it."""
    kinds = ("infarct", "haemorrhage")
    half = A & (np.arange(8) < 4)[:, None, None]
    one, other = np.stack([A, NOTHING]), np.stack([half, A & ~half])
    found = compare_kinds("p", kinds, one, other, affine=AFFINE)
    assert found.joined.dice == 1
    assert found.kinds["infarct"].dice == pytest.approx(2 / 3)
    assert found.kinds["haemorrhage"].dice == 0
    assert found.voxels == ((16, 16), (0, 0))
    assert compare_kinds("p", kinds, other, one, affine=AFFINE).voxels == ((16, 0), (16, 0))
    assert same_kind([found.voxels, ((4, 0), (0, 4))]) == pytest.approx(24 / 40)
    assert same_kind([((0, 0), (0, 0))]) is None


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        compare_masks("p", A, B[:4], affine=AFFINE)
