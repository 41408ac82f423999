"""Validation patients through the whole pipeline, once; their answers serve every decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.labelled import LabelledScan
from strokediff.cohort.masks import MaskReader
from strokediff.ct.brain import extract_brain
from strokediff.ct.nifti.images import read_nifti
from strokediff.errors import InputError
from strokediff.inference.estimation import Estimation
from strokediff.inference.fusion import estimate_each
from strokediff.segmentation.calibrate.decisions import (
    THRESHOLDS,
    Scored,
    choose,
    scores,
    undecided,
)
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Calibration, Measured, conformal, narrowest
from strokediff.segmentation.model import Model
from strokediff.segmentation.pipeline import case_seed
from strokediff.segmentation.place import Scan
from strokediff.segmentation.read_out import read_out
from strokediff.segmentation.uncertainty import entropy, probability


class Head:
    """A labelled scan: estimated once in every way, read out at every decision.

    `kind` is the group of its lesion; `scores` by the estimation's key.
    """

    def __init__(self, scan: LabelledScan, model: Model, estimations: Sequence[Estimation]) -> None:
        self.kind = scan.group
        ct = read_nifti(scan.image)
        seed = case_seed(0, ct)
        self.place = Scan(ct, extract_brain(ct), model.grid, model.surroundings, seed)
        T = model.process.T
        with model.estimating() as context:
            found = estimate_each(
                {e.key: e.estimator(T) for e in estimations}, self.place.slices, context
            )
        self.y_0 = {key: timed.estimate.y_0 for key, timed in found.items()}
        truth = MaskReader().on(scan.label, ct)[0]
        self.true_ml = ct.mask_volume_mm3(truth) / 1000
        self.scores = {
            key: scores(ct, [self._mask(key, Decision(threshold=t)) for t in THRESHOLDS], truth)
            for key in self.y_0
        }

    def measured(self, key: str, decision: Decision) -> Measured:
        """The volume that is found, and how unsure it is."""
        ct = self.place.ct
        unsure = self.place.on_grid(entropy(probability(self.y_0[key])))
        volume_ml = ct.mask_volume_mm3(self._mask(key, decision)) / 1000
        return Measured(volume_ml, ct.integral_ml(unsure))

    def _mask(self, key: str, decision: Decision) -> NDArray[np.bool_]:
        return read_out(self.place, self.y_0[key], decision).mask


@dataclass(frozen=True)
class Tuned:
    """What was chosen for one estimation, what it changed, and the interval that goes with it.

    `before` and `after` are means over the patients by whom it was chosen.
    """

    before: Scored
    after: Scored
    calibration: Calibration


def tune(
    model: Model,
    patients: Sequence[Sequence[LabelledScan]],
    estimations: Sequence[Estimation],
    population: str,
    on_head: Callable[[str], None] = lambda name: None,
) -> Mapping[str, Tuned]:
    """Decision and conformal interval of every estimation, by its key, from `patients`' scans.

    Every other patient serves the decision and the form of the interval, the others its quantile:
    on patients by whom something was chosen the errors are smaller than on new ones. Raises
    `InputError` for fewer than two.
    """
    if len(patients) < 2:
        raise InputError(
            f"{len(patients)} validation patient(s): expected two or more, one to choose the "
            "decision by and one to measure its error on. Prepare the cohort with a larger --val "
            "and train."
        )
    halves: tuple[list[Head], list[Head]] = ([], [])
    for k, scans in enumerate(patients):
        for scan in scans:
            halves[k % 2].append(Head(scan, model, estimations))
            on_head(scan.name)
    return {e.key: _tuned(e.key, *halves, population) for e in estimations}


def _tuned(key: str, choosing: Sequence[Head], fresh: Sequence[Head], population: str) -> Tuned:
    own, kinds = [h.scores[key] for h in choosing], [h.kind for h in choosing]
    after = choose(own, kinds)

    def volumes(heads: Sequence[Head]) -> tuple[list[Measured], list[float]]:
        return [h.measured(key, after.decision) for h in heads], [h.true_ml for h in heads]

    form = narrowest(*volumes(choosing))
    calibration = conformal(*volumes(fresh), population=population, form=form)
    return Tuned(undecided(own, kinds), after, calibration)
