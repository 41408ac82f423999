"""Trainings on a cohort's slices, as the benchmark runs and counts every training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strokediff.benchmark.arm import Step
from strokediff.benchmark.costs import network_costs
from strokediff.training.loop import Run


@dataclass(frozen=True)
class OfCohort:
    """A `Run`."""

    run: Run

    def finished(self) -> bool:
        """As the run says."""
        return self.run.finished()

    def train(self) -> Iterator[Step]:
        """Go on where it was stopped."""
        config = self.run.config
        for report in self.run.train(resume=True):
            kept = report.step % config.checkpoint_every == 0
            yield Step(report.step, config.steps, kept)

    def costs(self) -> Mapping[str, Any]:
        """`images`, `parameters` and `gmacs`; `from` where it began at a model's weights."""
        run = self.run
        costs = network_costs(run.task, run.module, run.cohort.grid.size)
        begun = {"from": run.started_from} if run.started_from else {}
        return {"images": run.config.steps * run.config.batch_size, **costs, **begun}
