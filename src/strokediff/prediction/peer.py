"""Methods of others over heads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from strokediff.baselines.base import Baseline
from strokediff.baselines.registry import SCALES, baseline
from strokediff.core.seeds import derive_seed
from strokediff.ct.grid import GridConfig
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU, Compute
from strokediff.inference.estimator import LabelEstimate, Slices
from strokediff.inference.fusion import Timed
from strokediff.inference.tally import Tally
from strokediff.prediction.head import Head
from strokediff.prediction.prediction import Prediction, predicted
from strokediff.segmentation.decision import Decision
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.weights import load_weights
from strokediff.util.kinds import JOINED

CPU_BATCH = 8
GPU_BATCH = 64

Run = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
"""(x, m, one seed a slice) -> whatever is made of the slices."""


@dataclass(frozen=True)
class PeerPredictor:
    """One trained network; lesion is where its probability is at least one half, kind by kind."""

    peer: Baseline
    module: nn.Module
    grid: GridConfig
    compute: Compute
    card: Mapping[str, Any]
    seed: int = 0
    kinds: tuple[str, ...] = JOINED
    surroundings: Surroundings = ALONE

    @property
    def settings(self) -> Mapping[str, Any]:
        """The checkpoint, the seed and the precision."""
        return {
            "model": dict(self.card),
            "seed": self.seed,
            "precision": self.compute.precision,
        }

    def __call__(self, head: Head) -> Mapping[str, Prediction]:
        """The head's prediction under the method's own name."""
        place = head.place(seed=self.seed)
        start = time.perf_counter()
        y_0 = self._estimate(place.slices, head.name)
        evaluations = self.peer.evaluations() * len(y_0)
        estimate = LabelEstimate(y_0, Tally.empty(y_0), evaluations)
        timed = Timed(estimate, time.perf_counter() - start)
        return {self.peer.name: predicted(place, timed, Decision())}

    def labels(self, slices: Slices) -> Mapping[str, Tensor]:
        """y_0 (S, K, H, W) of any slices, under the method's own name."""
        return {self.peer.name: self._estimate(slices, str(slices.seed))}

    def _estimate(self, slices: Slices, case: str) -> Tensor:
        """y_0 (S, K, H, W) of the slices of a case, on the CPU."""

        def run(x: Tensor, m: Tensor, seeds: Sequence[int]) -> Tensor:
            return self.peer.predict(self.module, x, m, seeds)

        parts = [part for _, part in self.each(slices, case, run)]
        nothing = slices.x_0.expand(-1, len(self.kinds), -1, -1)
        return torch.cat(parts) if parts else nothing

    @torch.inference_mode()
    def each(self, slices: Slices, case: str, run: Run) -> Iterator[tuple[range, Tensor]]:
        """What `run` makes of a few slices at a time, on the CPU, and which they are."""
        seeds = [derive_seed(self.seed, case, int(k)) for k in slices.keys]
        device = self.compute.device
        x, m = slices.seen(slices.x_0).to(device), slices.m.to(device)
        size = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        half = self.compute.precision == "bf16"
        for i in range(0, len(x), size):
            at = range(i, min(i + size, len(x)))
            few = slice(at.start, at.stop)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                found = run(x[few], m[few], seeds[few])
            yield at, found.float().cpu()


def load_peer(path: Path, compute: Compute = ON_CPU, seed: int = 0) -> PeerPredictor:
    """Read a checkpoint of one of `BASELINES`; `InputError` if its weights do not fit."""
    checkpoint = read_checkpoint(path)
    config = checkpoint.config
    try:
        peer = baseline(config.method, config.scale or SCALES[0])
    except UsageError as error:
        raise InputError(f"{path / 'config.json'}: {error} Copy the checkpoint again.") from None
    kinds = config.training.network.kinds
    module = peer.build(config.grid.size, len(kinds))
    scale = f"'{config.method}' at scale '{config.scale}'"
    load_weights(module, checkpoint.weights, f"{path}: the weights do not fit {scale}")
    card = {"name": config.name, "method": config.method, "sha256": config.sha256}
    return PeerPredictor(
        peer, module.eval().to(compute.device), config.grid, compute, card, seed, kinds
    )
