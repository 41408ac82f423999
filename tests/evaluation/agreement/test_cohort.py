"""Laws of a cohort: means with their bootstrap, kappa of all voxels, and where nobody is left."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from strokediff.evaluation.agreement.cohort import CohortAgreement
from strokediff.evaluation.agreement.masks import MaskAgreement, compare_masks
from strokediff.evaluation.agreement.tables import Unpaired, column, format_csv, plain
from strokediff.evaluation.unit import Unit

AFFINE = np.diag([10.0, 10.0, 10.0, 1.0])


def rows(shifts: Sequence[int | None], unit: Unit = Unit.MM) -> list[MaskAgreement]:
    """A patient each: B is A, further along by so many voxels; None: both empty."""
    found = []
    for n, shift in enumerate(shifts):
        a = np.zeros((12, 8, 4), bool)
        if shift is not None:
            a[1:5, 2:6, 1:3] = True
        b = np.roll(a, shift or 0, axis=0)
        found.append(compare_masks(f"p{n}", a, b, affine=AFFINE, unit=unit))
    return found


def test_means_are_over_patients_and_dice_also_over_those_with_a_lesion() -> None:
    found = CohortAgreement.of(rows([0, 1, 2, None])).overlap
    assert found.dice.value == pytest.approx((1 + 0.75 + 0.5 + 1) / 4)
    assert found.dice_marked.value == pytest.approx(0.75) and found.n_marked == 3
    assert found.dice.low < found.dice.value < found.dice.high


def test_kappa_is_of_all_voxels_of_all_patients() -> None:
    """Three masks of 32 voxels among 4 x 384; 32 + 24 + 16 of them shared."""
    found = CohortAgreement.of(rows([0, 1, 2, None])).overlap
    n, yes, both = 4 * 384, 96, 72
    expected = (yes / n) ** 2 + (1 - yes / n) ** 2
    observed = (both + n - 2 * yes + both) / n
    assert found.kappa_voxels.value == pytest.approx((observed - expected) / (1 - expected))
    assert found.kappa_voxels.low < found.kappa_voxels.value <= found.kappa_voxels.high


def test_a_cohort_without_a_lesion() -> None:
    found = CohortAgreement.of(rows([None, None, None]))
    assert found.overlap.dice.value == 1
    assert found.overlap.dice_marked.value is None
    assert found.overlap.kappa_voxels.value is None
    told = json.dumps(plain(found), allow_nan=False)
    assert "neither reader found a lesion in anybody" in told


def test_one_patient_has_a_value_and_no_interval() -> None:
    found = CohortAgreement.of(rows([1])).overlap
    assert found.dice.value == 0.75 and found.dice.low is None
    assert "at least 2" in str(found.dice.note)


def test_units_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="one unit"):
        CohortAgreement.of([*rows([0]), *rows([0], Unit.PX)])
    with pytest.raises(ValueError, match="one unit"):
        CohortAgreement.of([])


def test_fields_are_named_by_their_unit() -> None:
    found = plain(CohortAgreement.of(rows([0, 1, 2], Unit.PX), thresholds=[10]))
    assert {"difference_px", "hd95_px_mean"} <= found.keys()
    assert found["volume_at_least"][0]["volume_px"] == 10
    assert "sd_px" in found["difference_px"] and "sd_of_log" in found["ratio"]
    assert "_ml" not in json.dumps(found)
    assert column("hd95_mm", Unit.MM) == "hd95_mm"


def test_the_table_names_everybody_and_computes_nothing() -> None:
    lines = format_csv(
        [("lesion", row) for row in rows([1])], [Unpaired("=1+1", "A", "failed: -x")], Unit.MM
    ).splitlines()
    assert lines[0].startswith("case,kind,readers,volume_a_ml,volume_b_ml,difference_ml")
    assert lines[1].startswith("p0,lesion,both,32,32,0,32,1,0.75,0.6,")
    assert lines[2].startswith("'=1+1,,only A,,") and lines[2].endswith(",failed: -x")
