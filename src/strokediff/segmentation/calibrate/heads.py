"""Validation patients through the whole pipeline, once; their answers serve every decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.prepare import LabelledScan, mask_on
from strokediff.ct.brain import extract_brain
from strokediff.ct.nifti.images import read_nifti
from strokediff.errors import InputError
from strokediff.inference.once import shared
from strokediff.inference.presets import Choice
from strokediff.segmentation.calibrate.decisions import (
    THRESHOLDS,
    Scored,
    choose,
    scores,
    undecided,
)
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Calibration, Measured, calibrate, narrowest
from strokediff.segmentation.model import Model
from strokediff.segmentation.pipeline import Segmentation, segment_volume


class Head:
    """A labelled scan: estimated once with every choice, scored at every decision."""

    def __init__(self, scan: LabelledScan, model: Model, choices: Sequence[Choice]) -> None:
        self.kind = scan.group
        self.volume = read_nifti(scan.image)
        self.brain = extract_brain(self.volume)
        T = model.process.T
        self.estimators = shared({c.key: c.estimator(T) for c in choices})
        truth = mask_on(scan.label, self.volume)
        self.true_ml = self.volume.mask_volume_mm3(truth) / 1000
        self.scores = {
            c.key: scores(self.volume, [self._mask(model, c, t) for t in THRESHOLDS], truth)
            for c in choices
        }

    def segment(self, model: Model, choice: Choice) -> Segmentation:
        """Through the whole pipeline; a second time costs no network evaluation."""
        return segment_volume(
            self.volume, model, choice, estimator=self.estimators[choice.key], brain=self.brain
        )

    def measured(self, model: Model, choice: Choice) -> Measured:
        """The volume that is found, and how unsure it is."""
        report = self.segment(model, choice).report
        return Measured(report["volume_ml"], report["doubt_ml"])

    def _mask(self, model: Model, choice: Choice, threshold: float) -> NDArray[np.bool_]:
        decided = replace(model, decisions={choice.key: Decision(threshold=threshold)})
        return self.segment(decided, choice).mask


@dataclass(frozen=True)
class Tuned:
    """What was chosen for one choice, what it changed, and the interval that goes with it.

    `before` and `after` are means over the patients by whom it was chosen.
    """

    before: Scored
    after: Scored
    calibration: Calibration


def tune(
    model: Model,
    patients: Sequence[Sequence[LabelledScan]],
    choices: Sequence[Choice],
    population: str,
    on_head: Callable[[str], None] = lambda name: None,
) -> Mapping[str, Tuned]:
    """Decision and conformal interval of every choice, by its key, from the scans of `patients`.

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
            halves[k % 2].append(Head(scan, model, choices))
            on_head(scan.name)
    return {choice.key: _tuned(model, choice, *halves, population) for choice in choices}


def _tuned(
    model: Model, choice: Choice, choosing: Sequence[Head], fresh: Sequence[Head], population: str
) -> Tuned:
    own, kinds = [h.scores[choice.key] for h in choosing], [h.kind for h in choosing]
    after = choose(own, kinds)
    final = replace(model, decisions={choice.key: after.decision})

    def volumes(heads: Sequence[Head]) -> tuple[list[Measured], list[float]]:
        return [h.measured(final, choice) for h in heads], [h.true_ml for h in heads]

    form = narrowest(*volumes(choosing))
    calibration = calibrate(*volumes(fresh), population=population, form=form)
    return Tuned(undecided(own, kinds), after, calibration)
