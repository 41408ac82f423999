"""A cohort's patient as the estimators take it: the slices that show brain, on its own grid."""

from __future__ import annotations

from strokediff.core.seeds import derive_seed
from strokediff.data.brain_slices import with_brain
from strokediff.data.cohort import Cohort, Patient
from strokediff.inference.estimator import Slices
from strokediff.model import Model
from strokediff.training.validation import with_neighbours


def slices_of(cohort: Cohort, name: str, model: Model, purpose: str) -> tuple[Patient, Slices]:
    """The patient and its slices with brain, keyed by number; the seed is by name and purpose."""
    patient = cohort.read(name)
    used = with_brain(patient.m)
    seen, m = with_neighbours(patient, model.neighbours, cohort.slice_spacing_mm(name))
    x, around = seen[used, :1], seen[used, 1:]
    seed = derive_seed(0, purpose, name)
    beside = around if model.neighbours else None
    return patient, Slices(x, m[used], used.tolist(), seed, beside=beside)
