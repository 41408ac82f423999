"""A cohort's patient as the estimators take it: the slices that show brain, on its own grid."""

from __future__ import annotations

import numpy as np
import torch

from strokediff.core.seeds import derive_seed
from strokediff.data.brain_slices import with_brain
from strokediff.data.cohort import Patient
from strokediff.inference.estimator import Slices


def slices_of(patient: Patient, purpose: str) -> Slices:
    """The slices with brain; `keys` are their numbers, the seed is by name and purpose."""
    used = with_brain(patient.m)
    x, m = (torch.from_numpy(a[used].astype(np.float32))[:, None] for a in (patient.x, patient.m))
    return Slices(x * m, m, used.tolist(), derive_seed(0, purpose, patient.name))
