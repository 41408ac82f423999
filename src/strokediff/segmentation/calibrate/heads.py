"""Labelled scans through the whole pipeline, once; their answers serve every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from strokediff.cohort.labelled import LabelledScan
from strokediff.cohort.masks import MaskReader
from strokediff.ct.brain import extract_brain
from strokediff.ct.grid import GridConfig
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.surroundings import Surroundings
from strokediff.inference.estimation import Estimation
from strokediff.inference.estimator import Slices
from strokediff.inference.fusion import estimate_each
from strokediff.segmentation.calibrate.answers import Answer, OfKind, OfMethod
from strokediff.segmentation.calibrate.decisions import THRESHOLDS, found_at
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.model import Model
from strokediff.segmentation.pipeline import case_seed
from strokediff.segmentation.place import Scan
from strokediff.segmentation.read_out import read_one
from strokediff.segmentation.trust.examined import Examined
from strokediff.segmentation.trust.features import measure_features
from strokediff.segmentation.uncertainty import entropy, probability


class Asked(Protocol):
    """Who answers: a model of ours, or a network of others."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The label's channels."""
        ...

    @property
    def grid(self) -> GridConfig:
        """Of the slices that it is shown."""
        ...

    @property
    def surroundings(self) -> Surroundings:
        """What it is shown beside each."""
        ...

    def labels(self, slices: Slices) -> Mapping[str, Tensor]:
        """y_0 (S, K, H, W) of the slices, by the estimation's key or the method's name."""
        ...


@dataclass(frozen=True)
class AskedModel:
    """A model by some of its estimations."""

    model: Model
    estimations: Sequence[Estimation]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The model's."""
        return self.model.kinds

    @property
    def grid(self) -> GridConfig:
        """The model's."""
        return self.model.grid

    @property
    def surroundings(self) -> Surroundings:
        """The model's."""
        return self.model.surroundings

    def labels(self, slices: Slices) -> Mapping[str, Tensor]:
        """By `Estimation.key`."""
        estimators = {e.key: e.estimator(self.model.process.T) for e in self.estimations}
        with self.model.estimating() as context:
            found = estimate_each(estimators, slices, context)
        return {key: timed.estimate.y_0 for key, timed in found.items()}


def answer(scan: LabelledScan, patient: str, masks: MaskReader, asked: Asked) -> Answer:
    """What is found in the scan by each estimation, beside the truth that `masks` reads."""
    ct = read_nifti(scan.image)
    truth = dict(zip(asked.kinds, masks.on(scan.label, ct), strict=True))
    brain = extract_brain(ct)
    place = Scan(ct, brain, asked.grid, asked.surroundings, case_seed(0, ct))
    methods = {
        key: _of_method(place, y_0, truth) for key, y_0 in asked.labels(place.slices).items()
    }
    features = measure_features(Examined(ct, brain))
    return Answer(
        scan=scan.name, patient=patient, group=scan.group, methods=methods, features=features
    )


def _of_method(place: Scan, y_0: Tensor, truth: Mapping[str, NDArray[np.bool_]]) -> OfMethod:
    any_kind = np.logical_or.reduce(list(truth.values()))
    return OfMethod(
        kinds={
            kind: _of_kind(place, y_0[:, k : k + 1], own)
            for k, (kind, own) in enumerate(truth.items())
        },
        doubt_ml=_doubt_ml(place, y_0.amax(dim=1, keepdim=True)),
        true_ml=place.ct.mask_volume_mm3(any_kind) / 1000,
    )


def _of_kind(place: Scan, y_0: Tensor, truth: NDArray[np.bool_]) -> OfKind:
    masks = [read_one(place, y_0, Decision(threshold=t)).mask for t in THRESHOLDS]
    found = found_at(place.ct, masks, truth)
    return OfKind(
        dice=found[..., 0].tolist(),
        volume_ml=found[..., 1].tolist(),
        doubt_ml=_doubt_ml(place, y_0),
        true_ml=place.ct.mask_volume_mm3(truth) / 1000,
    )


def _doubt_ml(place: Scan, y_0: Tensor) -> float:
    """The entropy over the brain, bit mL."""
    return place.ct.integral_ml(place.on_grid(entropy(probability(y_0))))
