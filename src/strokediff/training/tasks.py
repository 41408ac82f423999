"""What a training loop needs of a method: a loss for a batch and a label for a clean slice."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from strokediff.core.losses import Mahalanobis, NoiseError, squared_error
from strokediff.core.objective import Objective
from strokediff.core.process import SynchronousProcess
from strokediff.core.time_sampling import TIME_SAMPLERS
from strokediff.noise.base import NoiseModel, Whitening, generator
from strokediff.training.config import TrainingConfig
from strokediff.training.samples import sample_seeds


class Task(Protocol):
    """A method to train. `method` names it in the checkpoint, with its noise if it has one."""

    method: str

    @property
    def noise(self) -> NoiseModel | None:
        """What it draws from, None for a method without noise."""
        ...

    def example(self, size: int) -> tuple[Tensor, ...]:
        """One slice as the network takes it, at a time with noise where it has times."""
        ...

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The terms of the loss, their sum under "loss"."""
        ...

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """y_0 for clean slices, positive where there is lesion.

        x_0 is (S, C, H, W): the slice and then what lies beside it, each in its mask.
        """
        ...


class DiffusionTask:
    """SDPM, and SADPM by its noise: t and noise of each sample derive from its number."""

    method = "sdpm"

    def __init__(
        self, config: TrainingConfig, process: SynchronousProcess, noise: NoiseModel
    ) -> None:
        self.config = config
        self.process = process
        self.noise = noise
        self.objective = Objective(process, config.loss, noise_error=_noise_error(config, noise))
        self.times = TIME_SAMPLERS[config.time_sampler]

    def example(self, size: int) -> tuple[Tensor, ...]:
        """x_t (1, channels, size, size) and t = 1."""
        x_t = torch.zeros(1, self.config.network.channels, size, size)
        return x_t, torch.ones(1, dtype=torch.long)

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The terms of the loss, their sum under "loss"."""
        x_0, y_0, m = batch["x"], batch["y"], batch["m"]
        seeds = sample_seeds(self.config.seed, batch["number"], "noise")
        eps = self.noise.draw(seeds, tuple(x_0.shape[1:]), x_0.device).to(x_0)
        at = [
            self.times.draw(1, self.process.T, generator(seed))
            for seed in sample_seeds(self.config.seed, batch["number"], "t")
        ]
        beside = batch["beside"]

        def predict(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            found: tuple[Tensor, Tensor] = module(torch.cat([x_t, beside], dim=1), t)
            return found

        return self.objective(predict, x_0, y_0, m, eps, torch.cat(at).to(x_0.device))

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """The direct estimate, t = 0."""
        t = torch.zeros(len(x_0), dtype=torch.long, device=x_0.device)
        found: Tensor = module(x_0, t)[1] * m
        return found


def _noise_error(config: TrainingConfig, noise: NoiseModel) -> NoiseError:
    if config.noise_loss == "mse":
        return squared_error
    if not isinstance(noise, Whitening):
        raise ValueError(f"noise '{noise.name}' cannot be whitened; train with noise_loss 'mse'")
    return Mahalanobis(noise.whiten)
