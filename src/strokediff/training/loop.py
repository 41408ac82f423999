"""The training loop, a generator: who calls it logs, prints and decides when to stop.

Nothing in it depends on how often it was interrupted: sample n is the same sample, and weights,
Adam's moments and the averaged weights come back as they were. On a CPU a resumed run equals an
uninterrupted one bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.training.build import surroundings_of
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.training.keep import Keeper
from strokediff.training.resume import check_own, checkpoints, history_of
from strokediff.training.samples import SampleNumbers, TrainingSamples
from strokediff.training.state import Average, load_state
from strokediff.training.tasks import Task
from strokediff.training.trouble import explained
from strokediff.training.validation import Validation, validate
from strokediff.training.weights import check_weights
from strokediff.util.extras import require


@dataclass(frozen=True)
class StepReport:
    """What happened at a step; `validation` where one was due and there are patients for it."""

    step: int
    lr: float
    losses: dict[str, float]
    validation: Validation | None = None


@dataclass
class Run:
    """A training run in a folder: checkpoints/step-NNNNNNN while it goes on, model at the end,
    best beside it where there are validation patients.

    `scale` is the width of a network that `config` does not describe. `started_from` says whose
    weights `module` has, if it is not untrained.
    """

    folder: Path
    cohort: Cohort
    config: TrainingConfig
    task: Task
    module: nn.Module
    name: str
    device: str = "auto"
    workers: int = 0
    scale: str = ""
    started_from: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)

    def finished(self) -> bool:
        """Whether the model is there; `UsageError` if it is one of another run."""
        there = (self.folder / "model" / "config.json").is_file()
        if there:
            check_own(self.folder / "model", self.config, self.cohort)
        return there

    def train(self, *, resume: bool) -> Iterator[StepReport]:
        """Train to the last step, reporting each.

        Raises `UsageError` where the system refuses (`trouble`), where the training diverges, and
        where the folder holds a run already and `resume` is false. Nothing else may train in the
        folder meanwhile: who calls it holds it (`util.locks.sole`).
        """
        with explained(f"{self.folder}: training stopped", then=self._whole):
            yield from self._train(resume)

    def _train(self, resume: bool) -> Iterator[StepReport]:
        fabric = self._fabric()
        optimizer = torch.optim.Adam(self.module.parameters(), lr=self.config.lr)
        every, last = self.config.ema_every, self.config.steps
        average = Average(self.module, self.config.ema, every, last)
        start = self._start(optimizer, average, resume)
        module, optimizer = fabric.setup(self.module, optimizer)
        average.weights = {k: v.to(fabric.device) for k, v in average.weights.items()}
        for step, batch in enumerate(self._batches(fabric, start), start=start):
            lr = learning_rate(step, self.config)
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.zero_grad(set_to_none=True)
            losses = self._backward(fabric, module, batch)
            self._clip(fabric, module, optimizer, step)
            optimizer.step()
            done = step + 1
            average.update(self.module, done)
            validation = self._validation(average, done, fabric)
            yield StepReport(done, lr, losses, validation)
            if done % self.config.checkpoint_every == 0 or done == self.config.steps:
                self._checkpoint(done, optimizer, average)
        self._keeper.last(average.weights, self.history)

    def _backward(self, fabric: Any, module: Any, batch: dict[str, Any]) -> dict[str, float]:
        """Gradients of the batch, part by part where they are accumulated; its mean losses."""
        parts = parts_of(batch, self.config.accumulate)
        found: dict[str, float] = {}
        for part in parts:
            losses = self.task.losses(module, part)
            fabric.backward(losses["loss"] / len(parts))
            for key, value in losses.items():
                found[key] = found.get(key, 0.0) + float(value.detach()) / len(parts)
        return found

    def _clip(self, fabric: Any, module: Any, optimizer: Any, step: int) -> None:
        """Clip the gradients; `UsageError` if the training has diverged."""
        try:
            fabric.clip_gradients(module, optimizer, max_norm=self.config.clip_norm)
        except RuntimeError as error:
            if "non-finite" not in str(error):
                raise
            raise self._diverged("gradients", step + 1) from None

    def _diverged(self, what: str, step: int) -> UsageError:
        kept = checkpoints(self.folder)
        return UsageError(
            f"{self.folder}: diverged, the {what} of step {step} are not finite "
            f"(learning rate {learning_rate(step - 1, self.config):.3g}, last checkpoint "
            f"{kept[-1].name if kept else 'none'}). Expected a loss that falls; begin again "
            "with a lower rate (--set lr=...) or --precision 32."
        )

    def _whole(self) -> str:
        """What is left after a failure, and how to go on."""
        kept = checkpoints(self.folder)
        if not kept:
            return "No checkpoint was written yet: begin again."
        return f"Checkpoint {kept[-1].name} is whole: the run goes on from it (train --resume)."

    def _fabric(self) -> Any:
        precision = {"32": "32-true", "bf16": "bf16-mixed"}[self.config.precision]
        accelerator, _, index = self.device.partition(":")
        devices: Any = [int(index)] if index else 1
        fabric = require("lightning.fabric", "train").Fabric(
            accelerator=accelerator, devices=devices, precision=precision
        )
        fabric.launch()
        return fabric

    def _batches(self, fabric: Any, start: int) -> Any:
        samples = TrainingSamples(
            self.cohort,
            self.cohort.split["train"],
            seed=self.config.seed,
            lesion_share=self.config.lesion_share,
            augmentation=self.config.augmentation,
            surroundings=surroundings_of(self.config.network),
            source_shares=self.config.source_shares,
        )
        size = self.config.batch_size
        loader: Any = torch.utils.data.DataLoader(
            samples,
            batch_size=size,
            sampler=SampleNumbers(start, self.config.steps, size),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )
        return self._received(fabric.setup_dataloaders(loader, use_distributed_sampler=False))

    def _received(self, loader: Any) -> Iterator[Any]:
        """The batches; what a worker's end looks like depends on what it was sending then."""
        try:
            yield from loader
        except (EOFError, ConnectionError, FileNotFoundError) as error:
            if not self.workers:
                raise
            raise RuntimeError(f"DataLoader worker (pid unknown) is gone: {error!r}") from error

    def _start(self, optimizer: torch.optim.Optimizer, average: Average, resume: bool) -> int:
        """The step to go on from; modules, moments and the average are then as they were there."""
        found = checkpoints(self.folder)
        if not resume:
            if found or (self.folder / "model").exists():
                raise UsageError(
                    f"{self.folder}: holds a run already. Continue it with --resume, or choose "
                    "another folder."
                )
            return 0
        if not found:
            return 0
        check_own(found[-1], self.config, self.cohort)
        kept = read_checkpoint(found[-1])
        check_weights(self.module, kept.weights, f"{found[-1]}: the weights do not fit the run's")
        average.weights = kept.weights
        self.history[:] = history_of(kept)
        return load_state(found[-1] / "state", self.module, optimizer)

    def _validation(self, average: Average, done: int, fabric: Any) -> Validation | None:
        due = done % self.config.validate_every == 0 or done == self.config.steps
        if not due or not self.cohort.split["val"]:
            return None
        raw = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
        self.module.load_state_dict(average.weights)
        around = surroundings_of(self.config.network)
        with fabric.autocast():
            result = validate(self.task, self.module, self.cohort, fabric.device, around)
        self.module.load_state_dict(raw)
        self.history.append({"step": done, **result.figures})
        self._keeper.best(done, average.weights, self.history)
        return result

    def _checkpoint(self, step: int, optimizer: Any, average: Average) -> None:
        values = (*self.module.state_dict().values(), *average.weights.values())
        if not all(bool(v.isfinite().all()) for v in values if v.is_floating_point()):
            raise self._diverged("weights", step)
        self._keeper.checkpoint(step, self.module, optimizer, average.weights, self.history)

    @property
    def _keeper(self) -> Keeper:
        own = self.name, self.scale, self.started_from
        return Keeper(self.folder, self.cohort, self.config, self.task, *own)


def parts_of(batch: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The batch in `count` parts of the same size, sample after sample."""
    size = len(batch["number"]) // count
    return [
        {key: values[i * size : (i + 1) * size] for key, values in batch.items()}
        for i in range(count)
    ]


def learning_rate(step: int, config: TrainingConfig) -> float:
    """SDPM section 3: lr (1 - i/i_max)^0.9 + lr_min (i/i_max)^0.9."""
    done = step / config.steps
    rate: float = config.lr * (1 - done) ** 0.9 + config.lr_min * done**0.9
    return rate
