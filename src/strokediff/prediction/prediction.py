"""What every method gives for a cohort's patient, and a patient's grid as a `CT`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.store import Cohort, Patient
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError


@dataclass(frozen=True)
class Prediction:
    """Lesion mask and its probability on the cohort's grid (Z, S, S); what it took.

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


def patient_volume(cohort: Cohort, patient: Patient) -> CT:
    """The windowed slices of a patient as a volume; raises `InputError` without their spacing."""
    depth = cohort.slice_spacing_mm(patient.name)
    if depth is None:
        raise InputError(
            f"{cohort.path}: no spacing of {patient.name} in cohort.json. Prepare the cohort again."
        )
    pixel = cohort.grid.spacing_mm
    array = on_axes(patient.x.astype(np.float32))
    affine = np.diag([pixel, pixel, depth, 1.0])
    return CT.from_source_array(array, Source(Path(patient.name), "array", array.shape, affine))


def on_axes(slices: NDArray[Any]) -> NDArray[Any]:
    """Slices (Z, y, x) of a cohort on a volume's axes (x, y, z)."""
    return slices.transpose(2, 1, 0)


def as_slices(array: NDArray[Any]) -> NDArray[Any]:
    """An array on a volume's axes (x, y, z) as slices (Z, y, x): undoes `on_axes`."""
    return array.transpose(2, 1, 0)
