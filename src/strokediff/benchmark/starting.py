"""Models that arms start from: what pretraining is worth.

A model is a bundled one or a checkpoint, or, for methods of others too, what another benchmark
trained (its folder, that of -o): of that the arm's own training, at the same seed if it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from strokediff.benchmark.budgets import Budget
from strokediff.errors import InputError, UsageError
from strokediff.training.checkpoint import (
    CheckpointConfig,
    read_checkpoint,
    read_config,
    read_split,
)
from strokediff.training.start import for_each_kind
from strokediff.training.weights import load_weights
from strokediff.util.kinds import JOINED
from strokediff.weights import model_path

CLAIM = "benchmark.json"
"""Says that a folder is a benchmark's."""


@dataclass(frozen=True)
class Start:
    """A model to start from, and what it is."""

    path: Path
    config: CheckpointConfig

    @property
    def about(self) -> str:
        """Its name, what it was trained on, and the beginning of its weights' sha256."""
        own = self.config
        return f"{own.name} ({own.trained_on}; {own.sha256[:8]})"

    def check_grid(self, budget: Budget) -> None:
        """`UsageError` unless it was trained on the budget's grid."""
        own, grid = self.config.grid, budget.grid
        if (own.size, own.spacing_mm) != (grid.size, grid.spacing_mm):
            raise UsageError(
                f"--from {self.path}: trained at {own.size} pixels of {own.spacing_mm} mm, and "
                f"budget '{budget.name}' is {grid.size} of {grid.spacing_mm} mm. Choose another "
                "budget, or another model."
            )

    def check_unseen(self, names: Sequence[str]) -> None:
        """`UsageError` if it was trained on one of the scans `names`, which are to be tested."""
        trained = {*read_split(self.path).get("train", ())}
        seen = [name for name in names if name in trained]
        if seen:
            raise UsageError(
                f"--from {self.path}: was trained on {len(seen)} of the {len(names)} scans to test "
                f"({', '.join(seen[:5])}), whose scores would say nothing of new ones. Give a "
                "model that has not seen them."
            )

    def load_into(self, module: nn.Module) -> None:
        """Give a network of others the weights; `UsageError` if it is not the same network.

        Of a model that tells no kinds of lesion apart each kind starts as any lesion.
        """
        weights = dict(read_checkpoint(self.path).weights)
        if self.config.training.network.kinds == JOINED:
            weights = for_each_kind(weights, module)
        try:
            load_weights(module, weights, "its weights do not fit the network of this budget")
        except InputError as error:
            raise UsageError(f"--from {self.path}: {error}") from None


@dataclass(frozen=True)
class Starts:
    """The models that were given: names, checkpoints, folders of benchmarks."""

    given: tuple[str, ...] = ()

    def of(self, arm: str, method: str, noise: str, seed: int) -> Start | None:
        """The model for an arm that trains `method`: that of its own noise if there is one."""
        found = [s for s in self._models(arm, seed) if s.config.method == method]
        own = [s for s in found if s.config.noise == noise]
        return next(iter(own or found), None)

    def _models(self, arm: str, seed: int) -> Iterator[Start]:
        for given in self.given:
            folder = Path(given)
            if not (folder / CLAIM).is_file():
                path = model_path(given)
                yield Start(path, read_config(path))
                continue
            runs = folder / "runs" / arm
            for path in (runs / f"seed-{seed}" / "model", runs / "seed-0" / "model"):
                if path.is_dir():
                    yield Start(path, read_config(path))
                    break
