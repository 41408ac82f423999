"""Validation patients through the whole pipeline, once; their answers serve every decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from strokediff.calibrating.decisions import Scored, choose, scores, undecided
from strokediff.data.brain import extract_brain
from strokediff.data.masks import read_mask
from strokediff.data.nifti import read_nifti
from strokediff.data.prepare import LabelledScan
from strokediff.inference.intervals import Calibration, Measured, narrowest
from strokediff.inference.once import shared
from strokediff.inference.presets import Choice
from strokediff.model import Model
from strokediff.predict import Segmentation, segment_volume


class Head:
    """A labelled scan: estimated once with every choice, scored at every decision."""

    def __init__(self, scan: LabelledScan, model: Model, choices: Sequence[Choice]) -> None:
        self.kind = scan.group
        self.volume = read_nifti(scan.image)
        self.brain = extract_brain(self.volume)
        T = model.process.T
        self.estimators = shared({c.key: c.estimator(T) for c in choices})
        truth = self.volume.from_source(read_mask(scan.label).array)
        self.true_ml = self.volume.mask_volume_mm3(truth) / 1000
        plain = replace(model, decisions={})
        self.scores = {
            c.key: scores(self.volume, self.segment(plain, c).prob, self.brain.mask, truth)
            for c in choices
        }

    def segment(self, model: Model, choice: Choice) -> Segmentation:
        """Through the whole pipeline; a second time costs no network evaluation."""
        return segment_volume(
            self.volume, model, choice, estimator=self.estimators[choice.key], brain=self.brain
        )


@dataclass(frozen=True)
class Tuned:
    """What was chosen for one choice, what it changed, and the interval that goes with it."""

    before: Scored
    after: Scored
    calibration: Calibration


def tune(
    model: Model,
    scans: Sequence[LabelledScan],
    choices: Sequence[Choice],
    population: str,
    on_head: Callable[[str], None] = lambda name: None,
) -> Mapping[str, Tuned]:
    """Decision and conformal interval of every choice, by its key, from the patients `scans`."""
    heads = []
    for scan in scans:
        heads.append(Head(scan, model, choices))
        on_head(scan.name)
    kinds, true = [head.kind for head in heads], [head.true_ml for head in heads]
    found = {}
    for choice in choices:
        own = [head.scores[choice.key] for head in heads]
        after = choose(own, kinds)
        final = replace(model, decisions={choice.key: after.decision})
        reports = [head.segment(final, choice).report for head in heads]
        measured = [Measured(r["volume_ml"], r["doubt_ml"]) for r in reports]
        calibration = narrowest(measured, true, population=population)
        found[choice.key] = Tuned(undecided(own, kinds), after, calibration)
    return found
