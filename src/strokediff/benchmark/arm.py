"""What an arm of a benchmark is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.starting import Start
from strokediff.benchmark.suites import Suite
from strokediff.cohort.store import Cohort
from strokediff.inference.compute import Compute
from strokediff.prediction.prediction import Predictor
from strokediff.training.loop import Run


@dataclass(frozen=True)
class Step:
    """How far a training is, and whether it is kept there: it goes on from what is kept."""

    done: int
    total: int
    kept: bool


class Training(Protocol):
    """A training in a folder, ready to start or to go on."""

    def finished(self) -> bool:
        """Whether its model is there; `UsageError` if it is one of another training."""
        ...

    def train(self) -> Iterator[Step]:
        """Train to the end, reporting every step."""
        ...

    def costs(self) -> Mapping[str, Any]:
        """Of the finished one: `images` seen, and what its network is (`network_costs`)."""
        ...


class Arm(Protocol):
    """One training. `rows` maps the names its predictor gives to the titles of their rows."""

    @property
    def name(self) -> str:
        """What `--methods` calls it."""
        ...

    @property
    def ours(self) -> bool:
        """Whether it is compared with the best of the others."""
        ...

    @property
    def rows(self) -> Mapping[str, str]:
        """Name of a prediction -> title of its row."""
        ...

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """Whether it has a place in that table."""
        ...

    def run(
        self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str
    ) -> Run | Training:
        """The training in `folder`, ready to start or to go on."""
        ...

    def predictor(self, checkpoint: Path, compute: Compute, budget: Budget) -> Predictor:
        """The trained method, at the draws that the budget allows."""
        ...


class Startable(Arm, Protocol):
    """An arm that can go on from a model of its architecture."""

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`, ready to start or to go on."""
        ...

    @property
    def method(self) -> str:
        """The method of that model's checkpoint."""
        ...

    @property
    def noise_name(self) -> str:
        """The noise that it is trained with, "none" without."""
        ...

    def begun(
        self, start: Start, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str
    ) -> Run:
        """The training in `folder` that starts there, ready to start or to go on."""
        ...
