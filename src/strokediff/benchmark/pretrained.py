"""Arms that go on from a trained model of the same architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strokediff.benchmark.arm import Startable
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.starting import Start, Starts
from strokediff.benchmark.suites import Suite
from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.inference.compute import Compute
from strokediff.prediction.prediction import Predictor
from strokediff.training.loop import Run

PRETRAINED = "-pretrained"
"""At the end of their names."""


@dataclass(frozen=True)
class PretrainedArm:
    """The arm `base`, but for its first weights, which are those of one of `starts`.

    What has seen more than the other arms is compared under its own name. A model that has seen
    scans of the names to test is refused, but where names say nothing, as those of phantoms.
    """

    base: Startable
    starts: Starts = field(default_factory=Starts)
    names_tell: bool = True

    @property
    def name(self) -> str:
        """The base's with what it is."""
        return f"{self.base.name}{PRETRAINED}"

    @property
    def ours(self) -> bool:
        """As the base."""
        return self.base.ours

    @property
    def rows(self) -> Mapping[str, str]:
        """Those of the base."""
        return {method: f"{title}, pretrained" for method, title in self.base.rows.items()}

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """Where it was told what to start from."""
        return bool(self.starts.given) and self.base.fits(suite, budget)

    def start(self, seed: int) -> Start | None:
        """The model to start from, None if none of its architecture was given."""
        base = self.base
        return self.starts.of(base.name, base.method, base.noise_name, seed)

    def check(self, budget: Budget) -> Start:
        """The model to start from; `UsageError` if there is none, or it is of another grid."""
        return self._started(budget, 0)

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        start = self._started(budget, seed)
        if self.names_tell:
            start.check_unseen(cohort.split["test"])
        return self.base.begun(start, folder, cohort, budget, seed, device)

    def predictor(self, checkpoint: Path, compute: Compute, budget: Budget) -> Predictor:
        """The trained method."""
        return self.base.predictor(checkpoint, compute, budget)

    def _started(self, budget: Budget, seed: int) -> Start:
        start = self.start(seed)
        if start is None:
            raise UsageError(
                f"--from {', '.join(self.starts.given)}: no model of '{self.base.name}'. Give one, "
                "or the folder of a benchmark that trained it, or leave the method out."
            )
        start.check_grid(budget)
        return start
