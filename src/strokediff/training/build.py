"""From a configuration to the objects that train and predict."""

from __future__ import annotations

import torch
from torch import nn

from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import SCHEDULES, Schedule
from strokediff.ct.surroundings import Surroundings
from strokediff.networks.bounds import outline
from strokediff.networks.config import NetworkConfig
from strokediff.networks.two_stream import TwoStreamUNet
from strokediff.noise.base import NoiseModel
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.training.config import TrainingConfig
from strokediff.training.tasks import DiffusionTask


def schedule_of(config: TrainingConfig) -> Schedule:
    """The noise schedule that it names, of its T steps."""
    return SCHEDULES[config.schedule](config.T)


def outline_network(config: TrainingConfig, size: int) -> nn.Module:
    """The network's names and shapes alone: it takes no memory. `UsageError` if it is too large."""
    return outline(config.network, schedule_of(config), size)


def build_network(config: TrainingConfig, size: int) -> nn.Module:
    """The two-stream network, its initial weights fixed by the configuration's seed.

    Raises `UsageError` if it is too large (`networks/bounds.py`) or the grid does not suit it.
    """
    outline_network(config, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = TwoStreamUNet(config.network, schedule_of(config), size)
    network.recompute = config.gradient_checkpointing
    placed: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def surroundings_of(config: NetworkConfig) -> Surroundings:
    """What the network sees beside a slice."""
    return Surroundings(config.neighbours, config.mirror)


def build_task(config: TrainingConfig, noise: NoiseModel | None = None) -> DiffusionTask:
    """SDPM's task; SADPM's with another noise than the isotropic default.

    `noise` is the one that `config` names, as `fit_noise` or `read_noise` give it.
    """
    noise = noise or IsotropicNoise()
    if noise.name != config.noise.name:
        raise ValueError(f"expected noise '{config.noise.name}', got '{noise.name}'")
    return DiffusionTask(config, SynchronousProcess(schedule_of(config)), noise)
