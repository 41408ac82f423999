"""Seconds a training step of every method at a budget, and what its steps would take in all.

    python benchmarks/training_speed.py [--budget full] [--device cuda] [--steps 10]
                                        [--methods unet sdpm ...]

Slices of noise stand in for heads, so that reading and augmenting them is not counted: with enough
worker processes it is hidden behind the step. Two steps go first, uncounted. Memory is the most
that PyTorch held on the GPU. SADPM differs from SDPM by its noise alone: see docs/noise.md.
"""

from __future__ import annotations

import argparse
import time
from datetime import date

import torch
from torch import Tensor, nn

from strokediff.baselines.registry import BASELINES, baseline
from strokediff.benchmark.budgets import Budget, budget
from strokediff.segmentation.model import resolve_device
from strokediff.training.build import build_network, build_task
from strokediff.training.config import TrainingConfig
from strokediff.training.tasks import Task
from strokediff.util.machine import machine_name

WARM_UP = 2


def built(name: str, chosen: Budget) -> tuple[Task, nn.Module, TrainingConfig]:
    config, size = chosen.training(seed=0), chosen.grid.size
    if name in BASELINES:
        peer = baseline(name, chosen.scale)
        return peer, peer.build(size), config
    return build_task(config), build_network(config, size), config


def batch_of(config: TrainingConfig, size: int, step: int) -> dict[str, Tensor]:
    """A batch as `TrainingSamples` gives it, of noise and a square lesion."""
    shape = (config.batch_size, 1, size, size)
    x, y, m = torch.randn(shape).clamp(-1, 1), torch.full(shape, -1.0), torch.ones(shape)
    y[:, :, size // 4 : size // 2, size // 4 : size // 2] = 1.0
    number = torch.arange(config.batch_size) + step * config.batch_size
    return {"x": x, "y": y, "m": m, "beside": x[:, :0], "number": number}


def seconds_a_step(name: str, chosen: Budget, device: torch.device, steps: int) -> float:
    task, module, config = built(name, chosen)
    module = module.to(device)
    optimizer = torch.optim.Adam(module.parameters(), lr=config.lr)
    start = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            _wait(device)
            start = time.perf_counter()
        batch = batch_of(config, chosen.grid.size, step)
        batch = {key: value.to(device) for key, value in batch.items()}
        optimizer.zero_grad(set_to_none=True)
        task.losses(module, batch)["loss"].backward()
        nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
        optimizer.step()
    _wait(device)
    return (time.perf_counter() - start) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="full")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=["sdpm", *BASELINES])
    args = parser.parse_args()
    chosen, device = budget(args.budget), resolve_device(args.device)
    config = chosen.training(seed=0)
    print(f"{machine_name(device)}, {date.today()}; budget {chosen.name}:")
    print(f"{config.steps:,} steps of {config.batch_size} slices of {chosen.grid.size} pixels")
    print("| method | parameters, M | s a step | h in all | GPU memory, GiB |")
    print("| --- | --- | --- | --- | --- |")
    for name in args.methods:
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        spent = seconds_a_step(name, chosen, device, args.steps)
        millions = sum(p.numel() for p in built(name, chosen)[1].parameters()) / 1e6
        gpu = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
        memory = f"{gpu / 2**30:.1f}" if gpu else "-"
        hours = spent * config.steps / 3600
        print(f"| {name} | {millions:.1f} | {spent:.3f} | {hours:.1f} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
