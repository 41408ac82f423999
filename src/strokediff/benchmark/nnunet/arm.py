"""nnU-Net as arms of a benchmark."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.nnunet.job import EXTRA, Job, Settings
from strokediff.benchmark.nnunet.predictor import load_nnunet
from strokediff.benchmark.nnunet.training import NNUNetTraining
from strokediff.benchmark.suites import Suite
from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.inference.compute import Compute, resolve_device
from strokediff.prediction.prediction import Predictor
from strokediff.util.extras import require


@dataclass(frozen=True)
class NNUNetArm:
    """nnU-Net itself in one of its configurations; as many images as the others, or its own length.

    It is compared on the scans' own grids alone, and trains on `source`, the scans that the cohort
    was prepared from; `processes` plan and preprocess.
    """

    name: str
    title: str
    configuration: Literal["2d", "3d_fullres"] = "2d"
    own_length: bool = False
    source: Path | None = None
    processes: int = 1
    ours: bool = False

    @property
    def rows(self) -> Mapping[str, str]:
        """One row."""
        return {self.name: self.title}

    @property
    def about(self) -> str:
        """One line for `--list`."""
        return (
            f"{self.title}: its own planning, training and post-processing; by this name alone, "
            f"with --own-grids and the extra [{EXTRA}]"
        )

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """Everywhere."""
        return True

    def run(
        self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str
    ) -> NNUNetTraining:
        """The training in `folder`; `MissingExtraError` without nnU-Net."""
        if os.name != "posix":
            raise UsageError(f"{self.name}: nnU-Net is run on Linux or macOS alone.")
        require("nnunetv2", EXTRA)
        if self.source is None:
            raise UsageError(f"{self.name}: trains on scans, and none are given.")
        training = budget.training(seed)
        settings = Settings(
            configuration=self.configuration,
            seed=seed,
            images=None if self.own_length else training.steps * training.batch_size,
            kinds=cohort.kinds,
            cohort=cohort.fingerprint,
            split=_fingerprint(cohort.split),
        )
        job = Job(
            folder=folder.absolute(),
            settings=settings,
            validates=bool(cohort.split["val"]),
            device=str(resolve_device(device)),
            processes=self.processes,
            parent=os.getpid(),
        )
        return NNUNetTraining(job, cohort, self.source)

    def predictor(self, checkpoint: Path, compute: Compute, budget: Budget) -> Predictor:
        """The trained network."""
        return load_nnunet(checkpoint, self.name, compute)


def _fingerprint(split: Mapping[str, list[str]]) -> str:
    return hashlib.sha256(json.dumps(split, sort_keys=True).encode()).hexdigest()


NNUNET_ARMS = (
    NNUNetArm("nnunetv2", "nnU-Net itself, 2d"),
    NNUNetArm("nnunetv2-3d", "nnU-Net itself, 3d_fullres", "3d_fullres"),
    NNUNetArm("nnunetv2-long", "nnU-Net itself, 2d, its own 250,000 steps", own_length=True),
)
