"""What a run leaves in its folder: whole checkpoints, the best model so far, and the last one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from strokediff.cohort.store import Cohort
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.training.noise import write_noise
from strokediff.training.resume import checkpoints
from strokediff.training.start import STARTED_FROM
from strokediff.training.state import save_state
from strokediff.training.tasks import Task
from strokediff.util.files import atomic_directory

KEEP = 2
"""Checkpoints to keep: the newest, and the one before it in case the disk failed."""
BEST = "best"
"""The folder of the model with the highest validation Dice, the first of equals."""

History = Sequence[Mapping[str, Any]]
"""The figures of each validation, with its step."""


@dataclass(frozen=True)
class Keeper:
    """Writes models into a run's folder, each whole or not at all."""

    folder: Path
    cohort: Cohort
    config: TrainingConfig
    task: Task
    name: str
    scale: str = ""
    started_from: str = ""

    def checkpoint(
        self,
        step: int,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: Mapping[str, Tensor],
        history: History,
    ) -> None:
        """The averaged weights, and the state to go on from; older ones than `KEEP` go."""
        with atomic_directory(self.folder / "checkpoints" / f"step-{step:07d}") as folder:
            self._write(folder, step, average, history)
            save_state(folder / "state", step, module, optimizer)
        for old in checkpoints(self.folder)[:-KEEP]:
            shutil.rmtree(old)

    def best(self, step: int, weights: Mapping[str, Tensor], history: History) -> None:
        """These weights in place of the best before them, if the last validation has more Dice.

        A run that was stopped between a validation and its checkpoint does the validation again,
        with the same weights.
        """
        *before, now = [figures["dice"] for figures in history]
        if not before or now > max(before):
            with atomic_directory(self.folder / BEST) as folder:
                self._write(folder, step, weights, history)

    def last(self, weights: Mapping[str, Tensor], history: History) -> None:
        """The model of the last step."""
        with atomic_directory(self.folder / "model") as folder:
            self._write(folder, self.config.steps, weights, history)

    def _write(
        self, folder: Path, step: int, weights: Mapping[str, Tensor], history: History
    ) -> None:
        write_checkpoint(
            folder,
            self._config(step),
            {k: v.cpu() for k, v in weights.items()},
            split=self.cohort.split,
            metrics={"validation": [*history]},
        )
        write_noise(folder, self.task.noise)

    def _config(self, step: int) -> CheckpointConfig:
        own = str(self.cohort.origin.get("description") or "unnamed cohort")
        trained_on = f"{own}{STARTED_FROM}{self.started_from}" if self.started_from else own
        return CheckpointConfig(
            name=self.name,
            method=self.task.method,
            scale=self.scale,
            noise=self.task.noise.name if self.task.noise else "none",
            grid=self.cohort.grid,
            training=self.config,
            trained_on=trained_on,
            step=step,
        )
