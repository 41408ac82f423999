"""Methods of others over a cohort."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from strokediff.baselines.base import Baseline
from strokediff.baselines.registry import SCALES, baseline
from strokediff.cohort.brain_slices import with_brain
from strokediff.cohort.store import Cohort, Patient
from strokediff.core.seeds import derive_seed
from strokediff.errors import InputError, UsageError
from strokediff.prediction.prediction import Prediction
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.weights import load_weights

CPU_BATCH = 8
GPU_BATCH = 64


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
        x, m = x.to(self.device), m.to(self.device)
        seeds = [derive_seed(self.seed, patient.name, int(k)) for k in used]
        size = CPU_BATCH if self.device.type == "cpu" else GPU_BATCH
        parts = [
            self.peer.predict(self.module, x[i : i + size], m[i : i + size], seeds[i : i + size])
            for i in range(0, len(x), size)
        ]
        if parts:
            prob[used] = ((torch.cat(parts).float().cpu() + 1) / 2 * m.cpu())[:, 0].numpy()
        mask = (prob >= 0.5) & (patient.m > 0)
        spent = time.perf_counter() - start
        evaluations = self.peer.evaluations() * len(used)
        return {self.peer.name: Prediction(mask, prob, evaluations, len(used), spent)}


def load_peer(path: Path, device: torch.device, seed: int = 0) -> PeerPredictor:
    """Read a checkpoint of one of `BASELINES`; `InputError` if its weights do not fit."""
    checkpoint = read_checkpoint(path)
    config = checkpoint.config
    try:
        peer = baseline(config.method, config.scale or SCALES[0])
    except UsageError as error:
        raise InputError(f"{path / 'config.json'}: {error} Copy the checkpoint again.") from None
    module = peer.build(config.grid.size)
    scale = f"'{config.method}' at scale '{config.scale}'"
    load_weights(module, checkpoint.weights, f"{path}: the weights do not fit {scale}")
    card = {"name": config.name, "method": config.method, "sha256": config.sha256}
    return PeerPredictor(peer, module.eval().to(device), device, card, seed)
