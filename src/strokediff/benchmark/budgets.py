"""How much every method of a suite may cost: grid, widths, steps and patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strokediff.errors import UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.training.config import TrainingConfig, TrainingPreset, changed, training_preset


@dataclass(frozen=True)
class Budget:
    """What all methods share. `scale` is the width of the methods compared with.

    `steps` and `batch_size` give the number of images seen, alike for all; None leaves them to the
    preset. `network` replaces that of the preset. `phantoms` (train, test) replaces the number of a
    phantom suite, and `acquisition` how its phantoms are scanned. `most_evaluations` a slice are
    spent on each single estimate by the papers' samplers, which take 25,000 and 12,500: fewer draws
    of the same mean. None is all. `T` replaces the diffusion's steps, from random weights.
    """

    name: str
    preset: str
    scale: str
    steps: int | None = None
    batch_size: int | None = None
    network: NetworkConfig | None = None
    phantoms: tuple[int, int] | None = None
    acquisition: tuple[tuple[str, Any], ...] = ()
    most_evaluations: int | None = None
    T: int | None = None

    @property
    def grid(self) -> TrainingPreset:
        """The preset whose grid the cohort is prepared on."""
        return training_preset(self.preset)

    def training(
        self, seed: int, start: TrainingConfig | None = None, **changes: Any
    ) -> TrainingConfig:
        """The configuration of a run; `changes` that are None change nothing.

        With `start` it is that one, network and all, at this budget's steps and batch size.
        """
        base = start or self.grid.training
        steps = self.steps or self.grid.training.steps
        network = self.network.model_dump() if self.network and not start else None
        return changed(
            base,
            steps=steps,
            batch_size=self.batch_size,
            network=network,
            T=None if start else self.T,
            validate_every=steps,
            checkpoint_every=max(1, min(base.checkpoint_every, steps // 4)),
            seed=seed,
            **changes,
        )


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget(
            "tiny",
            preset="tiny",
            scale="small",
            steps=4,
            batch_size=2,
            network=NetworkConfig(base=8, multipliers=(1, 2), label_form="clean"),
            phantoms=(4, 2),
            acquisition=(("matrix", 128), ("thickness_mm", 12.0), ("empty_fraction", 0.0)),
            most_evaluations=10,
            T=20,
        ),
        Budget("small", preset="tiny", scale="small", steps=1500, most_evaluations=2000),
        Budget("stroke", preset="stroke", scale="small", steps=3000, most_evaluations=2000),
        Budget("full", preset="paper", scale="full"),
    )
}


def budget(name: str) -> Budget:
    """The budget of that name, or `UsageError` naming them all."""
    if name not in BUDGETS:
        raise UsageError(f"no budget '{name}'; expected one of: {', '.join(BUDGETS)}")
    return BUDGETS[name]
