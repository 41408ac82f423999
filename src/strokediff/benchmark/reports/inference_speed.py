"""Seconds a head of 30 slices for every way to ask the same network.

The network is untrained: its weights do not change how long it takes. Beside the presets stand the
same network asked once a slice, slice by slice, by PyTorch's own threads; the mean over 8 mirrored
and turned views, as nnU-Net's test-time augmentation; and 9 samples of 100 steps, as SegDiff and
MedSegDiff draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from strokediff.core.process import SynchronousProcess
from strokediff.inference.algorithm1 import Algorithm1
from strokediff.inference.compute import Compute
from strokediff.inference.estimation import METHODS, Estimation
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.executor import seconds_a_row
from strokediff.inference.presets import PRESETS
from strokediff.inference.repeated import Repeated
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.training.build import build_network, schedule_of
from strokediff.training.config import training_preset

SLICES, ROWS = 30, 16
COLUMNS = ("network", "size", "what", "evaluations a slice", "s a head")


@dataclass(frozen=True)
class Way:
    """Something to time, with its evaluations a slice."""

    name: str
    evaluations: int
    run: Callable[[], object]


def inference_speed(
    network: str,
    size: int,
    compute: Compute,
    *,
    compiled: bool = False,
    most_seconds: float = 60,
    only: Sequence[str] = (),
) -> Iterator[list[str]]:
    """A row for each way, those named in `only` if there are any; a preset's network.

    Where its strides do not divide the size, the next size that they do is used. A row that would
    take longer than `most_seconds` is computed from the time of a packed batch, and says so. A
    compiled network's first call is timed apart.
    """
    config = training_preset(network).training
    size = -(-size // config.network.stride) * config.network.stride
    module = build_network(config, size).eval().to(compute.device)
    g = torch.Generator().manual_seed(0)
    x_0 = torch.rand(SLICES, 1, size, size, generator=g) * 2 - 1
    head = Slices(x_0, torch.ones_like(x_0), list(range(SLICES)), 0)
    asked = module
    if compiled:
        compute, asked = compute.compile(module)
        start = time.perf_counter()
        with compute.running(asked) as denoiser:
            denoiser(x_0[:1], torch.ones(1, dtype=torch.long))
        yield [network, str(size), "compiled", "-", f"{time.perf_counter() - start:.0f}"]
    with compute.running(asked) as denoiser:
        process = SynchronousProcess(schedule_of(config))
        context = Context(denoiser, process, IsotropicNoise(), device=compute.device)
        each = seconds_a_row(denoiser, head.x_0, min(ROWS, context.pack))
        for way in (
            Way("slice by slice", 1, partial(_one_by_one, asked, head)),
            *_ways(context, head),
        ):
            if not only or way.name in only:
                guess = each * way.evaluations * SLICES
                took = f"{guess:,.0f} (computed)" if guess > most_seconds else _timed(way.run)
                yield [network, str(size), way.name, f"{way.evaluations:,}", took]


def _ways(context: Context, head: Slices) -> Iterator[Way]:
    yield Way("8 views", 8, partial(_views, context, head))
    T = context.process.T
    sampled: dict[str, Estimator] = {"9 samples of 100 steps": Repeated(Algorithm1(100), 9)}
    sampled |= {
        f"{p}/{m}": Estimation(m, p).estimator(T) for p in reversed(PRESETS) for m in METHODS
    }
    for name, estimator in sampled.items():
        yield Way(name, estimator.evaluations(), partial(estimator.estimate, head, context))


def _timed(run: Callable[[], object]) -> str:
    start = time.perf_counter()
    run()
    return f"{time.perf_counter() - start:.1f}"


@torch.inference_mode()
def _one_by_one(module: nn.Module, head: Slices) -> None:
    device = next(module.parameters()).device
    t = torch.zeros(1, dtype=torch.long, device=device)
    for x in head.x_0.split(1):
        module(x.to(device, memory_format=torch.channels_last), t)[1].cpu()


def _views(context: Context, head: Slices) -> None:
    t = torch.zeros(SLICES, dtype=torch.long)
    for turns in range(4):
        for flip in (False, True):
            x = torch.rot90(head.x_0, turns, (2, 3))
            context.network(x.flip(-1) if flip else x, t)
