"""Labelled scans through the whole pipeline, once; their answers serve every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from strokediff.cohort.labelled import LabelledScan
from strokediff.cohort.masks import MaskReader
from strokediff.ct.brain import extract_brain
from strokediff.ct.nifti.images import read_nifti
from strokediff.inference.estimation import Estimation
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


def answer(
    scan: LabelledScan,
    patient: str,
    masks: MaskReader,
    model: Model,
    estimations: Sequence[Estimation],
) -> Answer:
    """What the model finds in the scan by each estimation, beside the truth that `masks` reads."""
    ct = read_nifti(scan.image)
    truth = masks.on(scan.label, ct)
    brain = extract_brain(ct)
    place = Scan(ct, brain, model.grid, model.surroundings, case_seed(0, ct))
    T = model.process.T
    with model.estimating() as context:
        found = estimate_each({e.key: e.estimator(T) for e in estimations}, place.slices, context)
    methods = {
        key: _of_method(place, timed.estimate.y_0, dict(zip(model.kinds, truth, strict=True)))
        for key, timed in found.items()
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
