"""What is trained for a table, and the rows that each training gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from strokediff.baselines.registry import BASELINES, baseline
from strokediff.benchmark.budgets import Budget
from strokediff.data.cohort import Cohort
from strokediff.errors import UsageError
from strokediff.inference.presets import METHODS, Choice
from strokediff.model import load_model
from strokediff.predicting.diffusion import DiffusionPredictor
from strokediff.predicting.peer import load_peer
from strokediff.predicting.prediction import Predictor
from strokediff.training.build import build_network, build_task
from strokediff.training.config import NoiseConfig
from strokediff.training.loop import Run, noise_of_run

ESTIMATES = {"avg": "ŷ_avg", "sal": "ŷ_sal", "infer": "ŷ_infer", "all": "ŷ_all"}


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

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`, ready to start or to go on."""
        ...

    def predictor(self, checkpoint: Path, device: torch.device) -> Predictor:
        """The trained method."""
        ...


@dataclass(frozen=True)
class DiffusionArm:
    """SDPM, or SADPM by its noise, with several estimates of one training."""

    name: str
    title: str
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    times: str | None = None
    methods: Sequence[str] = METHODS
    ours: bool = True

    @property
    def rows(self) -> Mapping[str, str]:
        """One row an estimate; the method's own title where there is one only."""
        if len(self.methods) == 1:
            return {self.methods[0]: self.title}
        return {method: f"{self.title} {ESTIMATES[method]}" for method in self.methods}

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        noise = self.noise.model_dump()
        config = budget.training(seed, noise=noise, time_sampler=self.times)
        task = build_task(config, noise_of_run(folder, cohort, config, resume=True))
        module = build_network(config, cohort.grid.size)
        return Run(folder, cohort, config, task, module, name=self.name, device=device)

    def predictor(self, checkpoint: Path, device: torch.device) -> Predictor:
        """All estimates at the preset `fast`."""
        choices = [Choice(method) for method in self.methods]
        return DiffusionPredictor(load_model(checkpoint, device), choices)


@dataclass(frozen=True)
class PeerArm:
    """A method of others."""

    name: str
    ours: bool = False

    @property
    def rows(self) -> Mapping[str, str]:
        """One row."""
        return {self.name: baseline(self.name).title}

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        peer = baseline(self.name, budget.scale).seeded(seed)
        config = budget.training(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = peer.build(cohort.grid.size)
        return Run(
            folder,
            cohort,
            config,
            task=peer,
            module=module.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            name=self.name,
            device=device,
            scale=budget.scale,
        )

    def predictor(self, checkpoint: Path, device: torch.device) -> Predictor:
        """The trained network."""
        return load_peer(checkpoint, device)


_ALL: tuple[Arm, ...] = (
    *(PeerArm(name) for name in BASELINES),
    DiffusionArm("sdpm-no-noise", "SDPM w/o noise", times="clean", methods=("avg",)),
    DiffusionArm("sdpm", "SDPM"),
    DiffusionArm("sadpm", "SADPM", noise=NoiseConfig(name="fourier", D=3000)),
)
ARMS = {arm.name: arm for arm in _ALL}


def arms(names: Sequence[str]) -> list[Arm]:
    """The arms of those names, all if there are none; `UsageError` names the choices."""
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise UsageError(f"no method '{', '.join(unknown)}'; expected one of: {', '.join(ARMS)}")
    return [ARMS[name] for name in (names or ARMS)]
