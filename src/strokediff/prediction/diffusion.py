"""SDPM and SADPM over a cohort: any of the four estimates of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from strokediff.cohort.brain_slices import with_brain
from strokediff.cohort.store import Cohort, Patient
from strokediff.core.seeds import derive_seed
from strokediff.ct.lesions import Lesions
from strokediff.inference.estimator import Context, LabelEstimate, Slices
from strokediff.inference.executor import denoiser_on
from strokediff.inference.once import shared
from strokediff.inference.presets import Choice
from strokediff.prediction.prediction import Prediction, as_slices, patient_volume
from strokediff.segmentation.model import Model
from strokediff.segmentation.pipeline import without_lone_pixels
from strokediff.segmentation.uncertainty import probability
from strokediff.training.validation import network_sees


@dataclass(frozen=True)
class DiffusionPredictor:
    """The estimates `choices` of one model; those that `all` fuses are drawn once for both."""

    model: Model
    choices: Sequence[Choice] = field(default_factory=lambda: [Choice()])
    seed: int = 0

    @property
    def settings(self) -> Mapping[str, Any]:
        """The model, the choices with what each counts as a lesion, and the seed."""
        return {
            "model": self.model.card,
            "choices": {c.name: str(c) for c in self.choices},
            "decisions": {c.name: self.model.decision(c).model_dump() for c in self.choices},
            "seed": self.seed,
        }

    def __call__(self, cohort: Cohort, patient: Patient) -> Mapping[str, Prediction]:
        """The patient's predictions by the choices' names."""
        slices = slices_of(cohort, patient, self.model, self.seed)
        T = self.model.process.T
        estimators = shared({c.name: c.estimator(T) for c in self.choices})
        with denoiser_on(self.model.network, self.model.device) as network:
            context = Context(
                network, self.model.process, self.model.noise, device=self.model.device
            )
            found = [(e.estimate(slices, context), e.seconds) for e in estimators.values()]
        return {
            choice.name: self._prediction(cohort, patient, slices, choice, estimate, seconds)
            for choice, (estimate, seconds) in zip(self.choices, found, strict=True)
        }

    def _prediction(
        self,
        cohort: Cohort,
        patient: Patient,
        slices: Slices,
        choice: Choice,
        estimate: LabelEstimate,
        seconds: float,
    ) -> Prediction:
        decision = self.model.decision(choice)
        kept = without_lone_pixels(estimate.y_0, decision.threshold)
        prob = np.zeros(patient.m.shape, np.float32)
        prob[list(slices.keys)] = (probability(kept, decision.threshold) * slices.m)[:, 0].numpy()
        mask = (prob >= 0.5) & (patient.m > 0)
        if decision.least_lesion_ml:
            volume = patient_volume(cohort, patient)
            lesions = Lesions(volume, np.ascontiguousarray(as_slices(mask)))
            mask = as_slices(lesions.mask(decision.least_lesion_ml))
        return Prediction(mask, prob, estimate.evaluations, len(slices.keys), seconds)


def slices_of(cohort: Cohort, patient: Patient, model: Model, seed: int = 0) -> Slices:
    """The patient's slices with brain, keyed by number; the seed is by (seed, name)."""
    used = with_brain(patient.m)
    depth = cohort.slice_spacing_mm(patient.name)
    seen, m = network_sees(patient, model.surroundings, depth)
    pixel_ml = None
    if depth is not None:
        pixel_ml = torch.full((len(used),), depth * cohort.grid.spacing_mm**2 / 1000)
    return Slices(
        seen[used, :1],
        m[used],
        used.tolist(),
        derive_seed(seed, patient.name),
        pixel_ml=pixel_ml,
        beside=seen[used, 1:] if model.surroundings else None,
    )
