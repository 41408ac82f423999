"""Seconds a training step of every method at a budget, and what its steps would take in all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from strokediff.baselines.registry import BASELINES, baseline
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.noise.measure import wait_for
from strokediff.training.build import build_network, build_task
from strokediff.training.config import TrainingConfig
from strokediff.training.tasks import Task

WARM_UP = 2
COLUMNS = ("method", "parameters, M", "s a step", "h in all", "GPU memory, GiB")


def training_speed(
    budget: Budget, device: torch.device, methods: Sequence[str] = (), steps: int = 10
) -> Iterator[list[str]]:
    """A row for each of "sdpm" and the methods of others (all if none are named).

    Slices of noise stand in for heads, so that reading and augmenting them is not counted. Two
    steps go first, uncounted. Memory is the most that PyTorch held on the GPU. SADPM differs from
    SDPM by its noise alone.
    """
    total = budget.training(seed=0).steps
    for name in methods or ("sdpm", *BASELINES):
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        task, module, config = _built(name, budget)
        millions = sum(p.numel() for p in module.parameters()) / 1e6
        spent = seconds_a_step(task, module.to(device), config, budget.grid.size, steps)
        gpu = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
        memory = f"{gpu / 2**30:.1f}" if gpu else "-"
        yield [name, f"{millions:.1f}", f"{spent:.3f}", f"{spent * total / 3600:.1f}", memory]


def seconds_a_step(
    task: Task, module: nn.Module, config: TrainingConfig, size: int, steps: int
) -> float:
    """Loss, backward, clipping and Adam of a batch of `config`, the mean over `steps`."""
    device = next(module.parameters()).device
    optimizer = torch.optim.Adam(module.parameters(), lr=config.lr)
    start = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            wait_for(device)
            start = time.perf_counter()
        batch = {key: value.to(device) for key, value in _batch(config, size, step).items()}
        optimizer.zero_grad(set_to_none=True)
        task.losses(module, batch)["loss"].backward()
        nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
        optimizer.step()
    wait_for(device)
    return (time.perf_counter() - start) / steps


def _built(name: str, budget: Budget) -> tuple[Task, nn.Module, TrainingConfig]:
    config, size = budget.training(seed=0), budget.grid.size
    if name == "sdpm":
        return build_task(config), build_network(config, size), config
    peer = baseline(name, budget.scale)
    return peer, peer.build(size), config


def _batch(config: TrainingConfig, size: int, step: int) -> dict[str, Tensor]:
    """A batch as `TrainingSamples` gives it, of noise and a square lesion."""
    shape = (config.batch_size, 1, size, size)
    x, y, m = torch.randn(shape).clamp(-1, 1), torch.full(shape, -1.0), torch.ones(shape)
    y[:, :, size // 4 : size // 2, size // 4 : size // 2] = 1.0
    number = torch.arange(config.batch_size) + step * config.batch_size
    return {"x": x, "y": y, "m": m, "beside": x[:, :0], "number": number}
