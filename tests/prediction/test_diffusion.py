"""Laws: shared draws give what each method alone gives; the model's own decision is applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.cohort.brain_slices import with_brain
from strokediff.cohort.store import Cohort
from strokediff.ct.axes import transposed
from strokediff.ct.surroundings import Surroundings
from strokediff.inference.estimation import FUSED, METHODS, Estimation
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.prediction.head import CohortHead
from strokediff.prediction.place import CohortPatient
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.model import Model, load_model
from strokediff.util.kinds import STROKE


@pytest.fixture
def model(checkpoint: Path) -> Model:
    return load_model(checkpoint)


def test_methods_that_share_draws_give_what_each_alone_gives(cohort: Cohort, model: Model) -> None:
    head = CohortHead(cohort, cohort.read("p0"))
    together = DiffusionPredictor(model, [Estimation(method) for method in METHODS])(head)
    for method in METHODS:
        alone = DiffusionPredictor(model, [Estimation(method)])(head)[method]
        np.testing.assert_array_equal(together[method].prob, alone.prob)
        np.testing.assert_array_equal(together[method].mask, alone.mask)
        assert together[method].evaluations == alone.evaluations
    # `all` counts what its parts took, though nothing was drawn twice.
    parts = sum(together[method].evaluations for method in FUSED)
    assert together["all"].evaluations == parts
    assert together["all"].seconds >= sum(together[m].seconds for m in FUSED)


def test_a_cut_is_the_models_decision_overruled(cohort: Cohort, model: Model) -> None:
    """It is the threshold 2 p - 1; the least lesion stays the model's; evaluations are shared."""
    head = CohortHead(cohort, cohort.read("p0"))
    estimations = [Estimation("avg"), Estimation("avg", cut=0.3), Estimation("avg", cut=0.7)]
    decided = {"fast/avg": (Decision(threshold=0.9, least_lesion_ml=0.01),)}
    found = DiffusionPredictor(replace(model, chosen=decided), estimations)(head)
    assert list(found) == ["avg", "avg-cut-0.3", "avg-cut-0.7"]
    for cut in (0.3, 0.7):
        same = {"fast/avg": (Decision(threshold=2 * cut - 1, least_lesion_ml=0.01),)}
        alone = DiffusionPredictor(replace(model, chosen=same), estimations[:1])(head)
        np.testing.assert_array_equal(found[f"avg-cut-{cut}"].mask, alone["avg"].mask)
        np.testing.assert_array_equal(found[f"avg-cut-{cut}"].prob, alone["avg"].prob)
    assert found["avg-cut-0.3"].mask.sum() > found["avg-cut-0.7"].mask.sum()
    assert found["avg-cut-0.3"].evaluations == found["avg"].evaluations


def test_nothing_is_found_outside_the_brain_and_the_mask_is_half_of_the_probability(
    cohort: Cohort, model: Model
) -> None:
    patient = cohort.read("p1")
    head = CohortHead(cohort, patient)
    found = DiffusionPredictor(model)(head)["sal"]
    outside = transposed(patient.m) == 0
    assert found.mask.any() and not found.mask.all()
    assert not found.mask[outside].any() and not found.prob[outside].any()
    np.testing.assert_array_equal(found.mask, (found.prob >= 0.5) & ~outside)


def test_the_seed_and_the_name_fix_the_noise(cohort: Cohort, model: Model) -> None:
    head = CohortHead(cohort, cohort.read("p0"))
    first, again = (DiffusionPredictor(model)(head)["sal"] for _ in range(2))
    np.testing.assert_array_equal(first.prob, again.prob)
    other = DiffusionPredictor(model, seed=1)(head)["sal"]
    assert not np.array_equal(first.prob, other.prob)


def test_the_models_decision_is_applied_and_recorded(cohort: Cohort, model: Model) -> None:
    head = CohortHead(cohort, cohort.read("p0"))
    plain = DiffusionPredictor(model)(head)["sal"]
    strict = {"fast/sal": (Decision(threshold=0.5),)}
    fewer = DiffusionPredictor(replace(model, chosen=strict))
    assert fewer(head)["sal"].mask.sum() < plain.mask.sum()
    assert fewer.settings["decisions"]["sal"]["threshold"] == 0.5
    large = {"fast/sal": (Decision(least_lesion_ml=1e6),)}
    none = DiffusionPredictor(replace(model, chosen=large))(head)["sal"]
    assert not none.mask.any()


def test_each_kind_is_cut_by_its_own_decision(
    cohort_of_kinds: Cohort, checkpoint_of_kinds: Path
) -> None:
    """And recorded by its name; no voxel has two kinds, the more probable one has it."""
    patient = cohort_of_kinds.read("p0")
    head = CohortHead(cohort_of_kinds, patient)
    model = load_model(checkpoint_of_kinds)
    plain = DiffusionPredictor(model)(head)["sal"]
    outside = transposed(patient.m) == 0
    assert plain.probs.shape == (2, *plain.labels.shape)
    assert set(np.unique(plain.labels)) == {0, 1, 2} and not plain.labels[outside].any()
    np.testing.assert_array_equal(plain.mask, (plain.prob >= 0.5) & ~outside)
    wins = plain.probs.argmax(axis=0) + 1
    np.testing.assert_array_equal(plain.labels[plain.mask], wins[plain.mask])
    never = {"fast/sal": (Decision(), Decision(least_lesion_ml=1e6))}
    predictor = DiffusionPredictor(replace(model, chosen=never))
    found = predictor(head)["sal"]
    assert set(np.unique(found.labels)) == {0, 1} and predictor.kinds == STROKE
    assert predictor.settings["decisions"]["sal"]["haemorrhage"]["least_lesion_ml"] == 1e6


def test_the_network_is_shown_what_lies_beside_a_slice(cohort: Cohort) -> None:
    """Neighbours and the mirror image, as in training: the same arrays that `seen` gives."""
    around = Surroundings(neighbours=1, mirror=True)
    patient = cohort.read("p0")
    used = with_brain(patient.m)
    slices = CohortPatient(cohort, patient, around).slices
    seen = torch.from_numpy(around.seen(patient.x, patient.m, slice_mm=5.0)[used])
    assert slices.beside is not None
    assert slices.beside.shape[1] == 3
    assert torch.equal(slices.seen(slices.x_0), seen)
    assert CohortPatient(cohort, patient).slices.beside is None
