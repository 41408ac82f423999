"""What every method gives for a cohort's patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.store import Cohort, Patient
from strokediff.inference.fusion import Timed
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.place import Place
from strokediff.segmentation.read_out import read_out


@dataclass(frozen=True)
class Prediction:
    """Lesion `mask` and its probability (X, Y, Z) on the cohort's grid; what it took.

    `evaluations` are those of the network over all `slices` that show brain.
    """

    mask: NDArray[np.bool_]
    prob: NDArray[np.float32]
    evaluations: int
    slices: int
    seconds: float


class Predictor(Protocol):
    """A trained method, or several that share a network: one prediction a patient for each."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that its predictions depend on beside the patient; plain JSON."""
        ...

    def __call__(self, cohort: Cohort, patient: Patient) -> Mapping[str, Prediction]:
        """The patient's predictions by the name of the method."""
        ...


def predicted(place: Place, found: Timed, decision: Decision) -> Prediction:
    """What `decision` counts as a lesion of an estimate: the same steps for every method."""
    read, estimate = read_out(place, found.estimate.y_0, decision), found.estimate
    slices = len(place.slices.keys)
    return Prediction(read.mask, read.prob, estimate.evaluations, slices, found.seconds)
