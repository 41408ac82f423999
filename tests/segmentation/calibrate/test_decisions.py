"""Laws: scores are those of the masks; the choice errs least in volume at nearly the best Dice."""

from __future__ import annotations

import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from strokediff.ct.lesions import Lesions
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.volume import CT
from strokediff.errors import InputError, UsageError
from strokediff.evaluation.metrics import evaluate_case
from strokediff.segmentation.calibrate.decisions import (
    LEAST_ML,
    THRESHOLDS,
    choose,
    scores,
    undecided,
)
from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Sparing


@pytest.fixture
def volume(tmp_path: Path) -> CT:
    file = tmp_path / "scan.nii.gz"
    head = np.full((60, 60, 16), -1000, np.int16)
    head[8:52, 8:52] = 1000
    head[10:50, 10:50] = 40
    nib.save(nib.Nifti1Image(head, np.diag([3.0, 3.0, 5.0, 1.0])), file)
    return read_nifti(file)


def test_scores_are_those_of_the_masks(volume: CT) -> None:
    rng = np.random.default_rng(0)
    shape = volume.hu.shape
    prob = gaussian_filter(rng.normal(0.5, 2.0, shape), 2.0).clip(0, 1).astype(np.float32)
    brain = rng.random(shape) < 0.8
    truth = np.zeros(shape, bool)
    truth[tuple(slice(1, n // 2) for n in shape)] = True
    masks = [(prob >= (threshold + 1) / 2) & brain for threshold in THRESHOLDS]
    found = scores(volume, masks, truth)
    for i, mask in enumerate(masks):
        lesions = Lesions(volume, mask)
        for j, least in enumerate(LEAST_ML):
            own = evaluate_case(
                "p", mask_pred=lesions.mask(least), mask_true=truth, affine=volume.affine
            )
            assert found[i, j] == pytest.approx([own.dice, own.vdp, math.nan], nan_ok=True)


def test_nothing_found_where_nothing_is_has_dice_1_and_no_vdp(volume: CT) -> None:
    nothing = np.zeros(volume.hu.shape, bool)
    found = scores(volume, [nothing] * len(THRESHOLDS), nothing)
    assert (found[..., 0] == 1).all() and np.isnan(found[..., 1]).all()
    chosen = choose([found], ["infarct"])
    assert chosen.dice == chosen.spared == 1
    assert chosen.vdp is chosen.dice_with is None


def patient(**at: tuple[float, float]) -> np.ndarray:
    """With a lesion; Dice 0.1 and VDP 1 but for the decisions named: t2_l1=(Dice, VDP)."""
    out = np.tile([0.1, 1.0, math.nan], (len(THRESHOLDS), len(LEAST_ML), 1))
    for name, values in at.items():
        out[int(name[1]), int(name[4]), :2] = values
    return out


def without(*spared: str) -> np.ndarray:
    """Without a lesion; less than 1 mL is marked at the decisions named: "t2_l1"."""
    out = np.tile([0.0, math.nan, 0.0], (len(THRESHOLDS), len(LEAST_ML), 1))
    for name in spared:
        out[int(name[1]), int(name[4])] = 1.0, math.nan, 1.0
    return out


def test_the_least_volume_error_among_the_nearly_best_is_chosen() -> None:
    within = NEARLY_BEST_DICE.within
    near, far = 0.8 - 0.9 * within, 0.8 - 1.1 * within
    found = patient(t4_l0=(0.8, 0.5), t5_l1=(near, 0.3), t6_l2=(far, 0.1))
    chosen = choose([found], ["infarct"])
    assert chosen.decision.threshold == THRESHOLDS[5]
    assert chosen.decision.least_lesion_ml == LEAST_ML[1]
    assert (chosen.dice, chosen.vdp) == pytest.approx((near, 0.3))
    plain = undecided([found], ["infarct"])
    assert plain.decision.threshold == 0 and plain.decision.least_lesion_ml == 0
    assert (plain.dice, plain.vdp) == (0.8, 0.5)


def test_kinds_count_the_same_however_many_patients_they_have() -> None:
    common, rare = patient(t1_l0=(0.5, 0.2)), patient(t5_l0=(0.9, 0.2))
    chosen = choose([common] * 9 + [rare], ["infarct"] * 9 + ["hemorrhage"])
    assert chosen.decision.threshold == THRESHOLDS[5]


def test_a_patient_without_a_lesion_counts_in_dice_alone() -> None:
    empty = patient(t2_l0=(1.0, math.nan), t3_l0=(0.0, math.nan))
    full = patient(t2_l0=(0.6, 0.4), t3_l0=(0.7, 0.1))
    chosen = choose([empty, full], ["infarct", "infarct"])
    assert chosen.decision.threshold == THRESHOLDS[2]
    assert (chosen.dice, chosen.vdp) == pytest.approx((0.8, 0.4))


def test_a_kind_without_a_lesion_has_no_part_in_the_volume_error() -> None:
    empty, full = patient(t2_l0=(1.0, math.nan)), patient(t2_l0=(0.6, 0.4))
    assert choose([empty, full], ["none", "infarct"]).vdp == pytest.approx(0.4)


def test_what_is_best_among_the_sparing_is_not_what_marks_nothing() -> None:
    """Nine of ten have no lesion, and one who marks nothing has a mean Dice of 0.9 and 0."""
    one = patient(t1_l0=(0.8, 0.5), t3_l0=(0.7, 0.4), t8_l4=(0.0, 1.0))
    others = [without("t1_l0", "t3_l0", "t8_l4")] * 5
    others += [without("t3_l0", "t8_l4")] * 3 + [without("t8_l4")]
    found, groups = [one, *others], ["a"] * 10
    assert choose(found, groups).decision.threshold == THRESHOLDS[8]
    chosen = choose(found, groups, Sparing(0.85))
    assert chosen.decision.threshold == THRESHOLDS[3]
    assert (chosen.dice_with, chosen.vdp) == pytest.approx((0.7, 0.4))
    assert chosen.spared == pytest.approx(8 / 9) and chosen.dice == pytest.approx(8.7 / 10)
    assert choose(found, groups, Sparing(0.5)).decision.threshold == THRESHOLDS[1]
    assert choose(found, groups, Sparing(1)).dice_with == 0


def test_where_nothing_spares_enough_the_most_sparing_are_asked() -> None:
    found = [patient(t1_l0=(0.9, 0.1), t2_l2=(0.6, 0.1)), without("t2_l2", "t3_l0"), without()]
    chosen = choose(found, ["a"] * 3, Sparing(0.9))
    assert (chosen.decision.threshold, chosen.spared) == (THRESHOLDS[2], 0.5)


def test_sparing_needs_those_with_and_those_without() -> None:
    for found, who in ((patient(), "without"), (without(), "with")):
        with pytest.raises(InputError, match=f"no patient {who} a lesion"):
            choose([found], ["a"], Sparing())
    for share in (0.0, 1.1, math.nan):
        with pytest.raises(UsageError, match="share"):
            Sparing(share)
