"""Laws: a folder of predictions scores as the arrays do, and goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort.sources import spacing_known_beside
from strokediff.cohort.store import Cohort, by_kind
from strokediff.ct.axes import transposed
from strokediff.ct.nifti.masks import read_mask
from strokediff.errors import UsageError
from strokediff.evaluation.auc import areas
from strokediff.evaluation.kinds import evaluate_kinds
from strokediff.evaluation.metrics import evaluate_case
from strokediff.prediction.folder import predict_cohort, read_record
from strokediff.prediction.head import CohortHead, Head
from strokediff.prediction.pairing import pair_cases
from strokediff.prediction.prediction import Prediction
from strokediff.prediction.scoring import evaluate_folders
from strokediff.util.kinds import JOINED, STROKE


class Shifted:
    """Finds the true lesion one pixel aside; of several kinds the last one wins."""

    def __init__(self, seed: int = 0, kinds: tuple[str, ...] = JOINED) -> None:
        self.settings: Mapping[str, Any] = {"seed": seed}
        self.kinds = kinds
        self.asked: list[str] = []

    def __call__(self, head: Head) -> Mapping[str, Prediction]:
        self.asked.append(head.name)
        masks = by_kind(np.roll(head.truth, 1, axis=0), len(self.kinds))
        numbers = np.arange(1, len(masks) + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
        probs = 0.75 * masks.astype(np.float32)
        labels = (masks * numbers).max(0)
        return {"shifted": Prediction(labels, probs, 12, 4, 0.5)}


def test_files_score_as_the_arrays_and_lie_on_the_cohorts_grid(
    cohort: Cohort, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_cohort(cohort, ["p0", "p1"], Shifted(), ["shifted"], out)
    folder = out / "shifted"
    pairs, extra = pair_cases(folder / "masks", out / "truth", folder / "probabilities")
    assert [p.case for p in pairs] == ["p0", "p1"] and not extra
    true, pred = read_mask(pairs[0].true), read_mask(pairs[0].pred)
    own = evaluate_case("p0", mask_pred=pred.array, mask_true=true.array, affine=true.affine)
    assert own.dice == pytest.approx(2 * 16 / 40)
    assert own.volume_true_ml == pytest.approx(20 * 8 * 8 * 5 / 1000)
    np.testing.assert_array_equal(transposed(true.array), cohort.read("p0").y)
    prob = nib.load(folder / "probabilities" / "p0.nii.gz")
    assert prob.header.get_zooms() == pytest.approx((8.0, 8.0, 5.0))
    assert read_record(folder)["patients"]["p1"] == {
        "network_evaluations": 12,
        "evaluations_a_slice": 3.0,
        "seconds": 0.5,
    }


def test_kinds_score_from_files_as_their_arrays(cohort_of_kinds: Cohort, tmp_path: Path) -> None:
    """Masks and truth as maps of labels, also where kinds truly overlap; probabilities in 4D."""
    names, out = ["p0", "p1"], tmp_path / "out"
    shifted = Shifted(kinds=STROKE)
    predict_cohort(cohort_of_kinds, names, shifted, ["shifted"], out)
    folder = out / "shifted"
    found = evaluate_folders(folder / "masks", out / "truth", folder / "probabilities")
    assert found.confusion is not None and list(found.kinds) == list(STROKE)
    for case in found.cases:
        patient = cohort_of_kinds.read(case.case)
        own = shifted(CohortHead(cohort_of_kinds, patient))["shifted"]
        true = np.stack([transposed(mask) for mask in by_kind(patient.y, 2)])
        pred = np.stack([own.labels == 1, own.labels == 2])
        affine = np.diag([8.0, 8.0, 5.0, 1.0])
        expected = evaluate_kinds(pred, true, STROKE, affine=affine, prob=own.probs)
        for name, metrics in expected.parts().items():
            told = case.parts()[name]
            assert (told.dice, told.auc) == (metrics.dice, metrics.auc)
            assert told.volume_true_ml == pytest.approx(metrics.volume_true_ml)
        assert case.confusion == expected.confusion
    assert [row.dice for row in found.rows] == [case.joined.dice for case in found.cases]
    shape = nib.load(folder / "probabilities" / "p0.nii.gz").shape
    assert shape == (16, 16, 5, 2)
    told = json.loads((folder / "masks" / "cohort.json").read_text())
    assert told["labels"] == {"infarct": 1, "haemorrhage": 2}


def test_of_one_kind_nothing_declares_labels(cohort: Cohort, tmp_path: Path) -> None:
    """The files are those of version 0.1.0."""
    predict_cohort(cohort, ["p0"], Shifted(), ["shifted"], tmp_path)
    assert not (tmp_path / "shifted" / "masks" / "cohort.json").exists()
    assert json.loads((tmp_path / "truth" / "cohort.json").read_text()).keys() == {
        "description",
        "spacing",
    }
    assert not evaluate_folders(tmp_path / "shifted" / "masks", tmp_path / "truth").cases


def test_the_brain_is_kept_for_both_auc(cohort: Cohort, tmp_path: Path) -> None:
    """Where an older version kept none it is added, and nobody is asked again."""
    predict_cohort(cohort, ["p0", "p1"], Shifted(), ["shifted"], tmp_path)
    kept = tmp_path / "brain" / "p0.nii.gz"
    np.testing.assert_array_equal(transposed(read_mask(kept).array), cohort.read("p0").m > 0)
    folders = (tmp_path / "shifted" / "masks", tmp_path / "truth")
    probabilities = tmp_path / "shifted" / "probabilities"
    found = evaluate_folders(*folders, probabilities, within=tmp_path / "brain")
    brain, truth, prob = cohort.read("p0").m > 0, cohort.read("p0").y > 0, 0.75
    expected = areas(
        mask_pred=np.roll(truth, 1, axis=2),
        mask_true=truth,
        prob=prob * np.roll(truth, 1, axis=2),
        within=brain,
    )
    assert (found.rows[0].auc, found.rows[0].auc_mask) == pytest.approx(expected)
    kept.unlink()
    again = Shifted()
    predict_cohort(cohort, ["p0", "p1"], again, ["shifted"], tmp_path)
    assert kept.is_file() and again.asked == []


def test_a_stopped_run_goes_on_without_asking_twice(cohort: Cohort, tmp_path: Path) -> None:
    predict_cohort(cohort, ["p0"], Shifted(), ["shifted"], tmp_path)
    again = Shifted()
    predict_cohort(cohort, ["p0", "p1"], again, ["shifted"], tmp_path)
    assert again.asked == ["p1"]


def test_predictions_of_something_else_are_not_mixed(cohort: Cohort, tmp_path: Path) -> None:
    predict_cohort(cohort, ["p0"], Shifted(), ["shifted"], tmp_path)
    with pytest.raises(UsageError, match="another model, choice, cohort or version"):
        predict_cohort(cohort, ["p1"], Shifted(seed=1), ["shifted"], tmp_path)


def test_predictions_of_another_cohort_are_not_kept_for_this_one(
    cohort: Cohort, tmp_path: Path
) -> None:
    """The same names with other labels: a cohort that was prepared again."""
    predict_cohort(cohort, ["p0"], Shifted(), ["shifted"], tmp_path)
    mended = {**cohort.patients, "p0": {**cohort.patients["p0"], "volume_ml": 12.0}}
    with pytest.raises(UsageError, match="another model, choice, cohort or version"):
        predict_cohort(replace(cohort, patients=mended), ["p0"], Shifted(), ["shifted"], tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"patients": []}', "[" * 9999, '{"patients": {"p0": NaN}}'),
        *('{"patients": {"p0": 3}}', '{"patients": {"p0": {"seconds": 1}}}', '{"patients": null}'),
        json.dumps(
            {
                "patients": {
                    "p0": {"network_evaluations": 1, "evaluations_a_slice": 1, "seconds": -1}
                }
            }
        ),
    ],
)
def test_a_broken_record_is_named(cohort: Cohort, tmp_path: Path, content: str) -> None:
    (tmp_path / "shifted").mkdir()
    (tmp_path / "shifted" / "predict.json").write_text(content)
    with pytest.raises(UsageError, match="predict.json: not a record"):
        predict_cohort(cohort, ["p0"], Shifted(), ["shifted"], tmp_path)


def test_the_truth_says_whether_its_spacing_is_known(cohort: Cohort, tmp_path: Path) -> None:
    predict_cohort(cohort, ["p0"], Shifted(), ["shifted"], tmp_path / "a")
    assert spacing_known_beside(tmp_path / "a" / "truth")
    nominal = replace(cohort, origin={**cohort.origin, "spacing": "unknown"})
    predict_cohort(nominal, ["p0"], Shifted(), ["shifted"], tmp_path / "b")
    assert not spacing_known_beside(tmp_path / "b" / "truth")
