"""Does SDPM without noise segment otherwise than a U-Net by its network or by its loss?

Both networks with both losses, at t = 0 alone, as many parameters in each. What is marked is alike:
the mean of both mirrored views, at one half, nothing filtered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from strokediff.baselines.unet import UNet
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.suites import Suite
from strokediff.cohort.store import Cohort
from strokediff.inference.compute import Compute
from strokediff.prediction.peer import PeerPredictor
from strokediff.prediction.prediction import Predictor
from strokediff.training.build import build_network, build_task
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.training.loop import Run
from strokediff.training.tasks import Task
from strokediff.training.train import of_kinds
from strokediff.training.weights import load_weights

NEAR_ONE = 1.0 - 1e-6


class AsLogits(nn.Module):
    """The two-stream network at t = 0 as one that gives logits: y_0 = tanh(l / 2)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) -> l."""
        _, y_0 = self.net(x, torch.zeros(len(x), dtype=torch.long, device=x.device))
        return 2.0 * torch.atanh(y_0.clamp(-NEAR_ONE, NEAR_ONE))


class AsTwoStream(nn.Module):
    """A network that gives logits as one of images and labels, for t = 0."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, H, W), (B,) -> (no noise, y_0)."""
        logits = self.net(x_t)
        return torch.zeros_like(x_t[:, :1]), torch.tanh(logits.float() / 2)


@dataclass(frozen=True)
class _ReadBy(UNet):
    """What a task reads from a network, over both mirrored views."""

    task: Task = field(kw_only=True)

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """The task's own label."""
        return self.task.label(module, x_0, m)


@dataclass(frozen=True)
class CrossedArm:
    """A network, "unet" or "two-stream", with the loss of the "peers" or that of "sdpm".

    The peers' is Dice and cross-entropy over the slice, SDPM's that of the preset without noise.
    """

    network: str
    loss: str
    ours: bool = True

    @property
    def name(self) -> str:
        """Network and loss."""
        return f"{self.network}-{self.loss}"

    @property
    def rows(self) -> Mapping[str, str]:
        """One row."""
        return {"unet": self.name}

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """Everywhere."""
        return True

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        config = of_kinds(budget.training(seed, time_sampler="clean"), cohort)
        module, task = self._built(config, cohort.grid.size)
        return Run(folder, cohort, config, task, module, name=self.name, device=device)

    def predictor(self, checkpoint: Path, compute: Compute, budget: Budget) -> Predictor:
        """The trained network."""
        found = read_checkpoint(checkpoint)
        module, task = self._built(found.config.training, found.config.grid.size)
        load_weights(module, found.weights, f"{checkpoint}: the weights are not of {self.name}")
        card = {"name": self.name, "sha256": found.config.sha256}
        reader, kinds = _ReadBy(task=task), found.config.training.network.kinds
        module = module.eval().to(compute.device)
        return PeerPredictor(reader, module, found.config.grid, compute, card, kinds=kinds)

    def _built(self, config: TrainingConfig, size: int) -> tuple[nn.Module, Task]:
        """The untrained network and what trains it."""
        two_stream = self.network == "two-stream"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            kinds = len(config.network.kinds)
            module = build_network(config, size) if two_stream else UNet().build(size, kinds)
        if self.loss == "peers":
            return (AsLogits(module) if two_stream else module), UNet()
        return (module if two_stream else AsTwoStream(module)), build_task(config)


CROSSED = tuple(
    CrossedArm(net, loss) for net in ("unet", "two-stream") for loss in ("peers", "sdpm")
)
