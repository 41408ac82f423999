"""A cohort's patient as a place: the cohort's own grid and brain, slices as they were prepared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strokediff.cohort.brain_slices import with_brain
from strokediff.cohort.store import Cohort, Patient
from strokediff.core.seeds import derive_seed
from strokediff.ct.axes import transposed
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError
from strokediff.inference.estimator import Slices
from strokediff.training.validation import network_sees


class CohortPatient:
    """The patient's windowed slices as a `CT` of the cohort's spacing, and those with brain.

    The seed is by (seed, name), slices are keyed by their number. Raises `InputError` if the
    cohort does not say the patient's spacing.
    """

    def __init__(
        self, cohort: Cohort, patient: Patient, surroundings: Surroundings = ALONE, seed: int = 0
    ) -> None:
        depth = cohort.slice_spacing_mm(patient.name)
        if depth is None:
            raise InputError(
                f"{cohort.path}: no spacing of {patient.name} in cohort.json. Prepare the cohort "
                "again."
            )
        pixel = cohort.grid.spacing_mm
        array = np.ascontiguousarray(transposed(patient.x.astype(np.float32)))
        affine = np.diag([pixel, pixel, depth, 1.0])
        source = Source(Path(patient.name), "array", array.shape, affine)
        self.ct = CT.from_source_array(array, source)
        self.brain: NDArray[np.bool_] = np.ascontiguousarray(transposed(patient.m > 0))
        used = with_brain(patient.m)
        seen, m = network_sees(patient, surroundings, depth)
        self.slices = Slices(
            seen[used, :1],
            m[used],
            used.tolist(),
            derive_seed(seed, patient.name),
            pixel_ml=torch.full((len(used),), depth * pixel**2 / 1000),
            beside=seen[used, 1:] if surroundings else None,
        )

    def on_grid(self, values: Tensor, elsewhere: float = 0.0) -> NDArray[np.float32]:
        """Values (S, 1, H, W) of the slices on the patient's grid (X, Y, Z)."""
        columns, rows, count = self.brain.shape
        every = np.full((count, rows, columns), elsewhere, np.float32)
        every[list(self.slices.keys)] = values[:, 0].numpy()
        return np.ascontiguousarray(transposed(every))

    def bridged(self, prob: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
        """As it is: every slice of a cohort is used."""
        return prob
