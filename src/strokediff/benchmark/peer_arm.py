"""Methods of others as arms of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from strokediff.baselines.registry import baseline
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.pretrained import PRETRAINED
from strokediff.benchmark.starting import Start
from strokediff.benchmark.suites import Suite
from strokediff.cohort.store import Cohort
from strokediff.inference.compute import Compute
from strokediff.prediction.peer import load_peer
from strokediff.prediction.prediction import Predictor
from strokediff.training.loop import Run
from strokediff.training.resume import checkpoints
from strokediff.training.train import of_kinds


@dataclass(frozen=True)
class PeerArm:
    """A method of others."""

    name: str
    ours: bool = False

    @property
    def rows(self) -> Mapping[str, str]:
        """One row."""
        return {self.name: baseline(self.name).title}

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """Everywhere."""
        return True

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        peer = baseline(self.name, budget.scale).seeded(seed)
        config = of_kinds(budget.training(seed), cohort)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = peer.build(cohort.grid.size, len(cohort.kinds))
        return Run(
            folder,
            cohort,
            config,
            task=peer,
            module=module,
            name=self.name,
            device=device,
            scale=budget.scale,
        )

    @property
    def method(self) -> str:
        """Its own name."""
        return self.name

    @property
    def noise_name(self) -> str:
        """None that a start could have."""
        return "none"

    def begun(
        self, start: Start, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str
    ) -> Run:
        """The same training from other weights."""
        run = self.run(folder, cohort, budget, seed, device)
        if not checkpoints(folder):
            start.load_into(run.module)
        config = run.config.model_copy(update={"start": start.config.sha256})
        name = f"{self.name}{PRETRAINED}"
        return replace(run, config=config, name=name, started_from=start.about)

    def predictor(self, checkpoint: Path, compute: Compute, budget: Budget) -> Predictor:
        """The trained network."""
        return load_peer(checkpoint, compute)
