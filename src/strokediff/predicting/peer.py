"""Methods of others over a cohort."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from strokediff.baselines.base import Baseline
from strokediff.core.seeds import derive_seed
from strokediff.data.brain_slices import with_brain
from strokediff.data.cohort import Cohort, Patient
from strokediff.predicting.prediction import Prediction

BATCH = 8


@dataclass(frozen=True)
class PeerPredictor:
    """One trained network; lesion is where its probability is at least one half."""

    peer: Baseline
    module: nn.Module
    device: torch.device
    card: Mapping[str, Any]
    seed: int = 0

    @property
    def settings(self) -> Mapping[str, Any]:
        """The checkpoint and the seed."""
        return {"model": dict(self.card), "seed": self.seed}

    @torch.inference_mode()
    def __call__(self, cohort: Cohort, patient: Patient) -> Mapping[str, Prediction]:
        """The patient's prediction under the method's own name."""
        used = with_brain(patient.m)
        start = time.perf_counter()
        prob = np.zeros(patient.m.shape, np.float32)
        x = torch.from_numpy(patient.x[used].astype(np.float32) * patient.m[used])[:, None]
        m = torch.from_numpy(patient.m[used].astype(np.float32))[:, None]
        seeds = [derive_seed(self.seed, patient.name, int(k)) for k in used]
        # All of a head at once where the method fuses over it (STAPLE); it batches within.
        y_0 = self.peer.predict(self.module, x.to(self.device), m.to(self.device), seeds)
        prob[used] = ((y_0.float().cpu() + 1) / 2 * m)[:, 0].numpy()
        mask = (prob >= 0.5) & (patient.m > 0)
        spent = time.perf_counter() - start
        evaluations = self.peer.evaluations() * len(used)
        return {self.peer.name: Prediction(mask, prob, evaluations, len(used), spent)}


def load_peer(path, device, seed=0): ...
