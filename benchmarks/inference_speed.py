"""Seconds a head of 30 slices for every way to ask the same network.

    python benchmarks/inference_speed.py [--sizes 224 448] [--networks tiny paper] [--device cpu]
                                         [--compile] [--plain-malloc] [--only ROW ...]

The network is untrained: its weights do not change how long it takes. Where its strides do not
divide a size, the next size that they do is used. Beside the presets stand the same network asked
once a slice, slice by slice, by PyTorch's own threads; the mean over 8 mirrored and turned views,
as nnU-Net's test-time augmentation; and 9 samples of 100 steps, as SegDiff and MedSegDiff draw. A
row that would take longer than --most-seconds is computed from the time of a packed batch, and
says so. With --compile the network is compiled first (torch.compile); its first call is timed
apart. --plain-malloc leaves the C library as it is, where the command line tells it to keep memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date
from functools import partial

import torch

from strokediff.cli.allocator import keep_freed_memory
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.inference.algorithm1 import Algorithm1
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.executor import denoiser_on, resolved_precision, seconds_a_row
from strokediff.inference.presets import METHODS, Choice
from strokediff.inference.repeated import Repeated
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.training.build import build_network
from strokediff.training.config import training_preset
from strokediff.util.machine import machine_name

SLICES, ROWS = 30, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 448])
    parser.add_argument("--networks", nargs="+", default=["tiny", "paper"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--most-seconds", type=float, default=60)
    parser.add_argument("--plain-malloc", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="e.g. fast/sal fast/all")
    args = parser.parse_args()
    if not args.plain_malloc:
        keep_freed_memory()  # as the command line does
    device = torch.device(args.device)
    precision = resolved_precision(args.precision, device)
    print(f"{machine_name(device)}, {precision}, {date.today()}")
    print("| network | size | what | evaluations a slice | s a head |")
    print("| --- | --- | --- | --- | --- |")
    for network in args.networks:
        for size in args.sizes:
            config = training_preset(network).training
            size = -(-size // config.network.stride) * config.network.stride
            module = build_network(config, size).eval().to(device)
            head = some_head(size)
            if args.compile:
                module = torch.compile(module)
                print(f"{network}, {size}: compiled in {first_call(module, device, size):.0f} s")
            with denoiser_on(module, device, precision=precision) as denoiser:
                process = SynchronousProcess(sigmoid_schedule(config.T))
                context = Context(denoiser, process, IsotropicNoise(), device=device)
                each = seconds_a_row(denoiser, head.x_0, min(ROWS, context.pack))
                slowly = ("slice by slice", 1, partial(one_by_one, module, head, device))
                for what, evaluations, run in [slowly, *ways(context, head, config.T)]:
                    if args.only and what not in args.only:
                        continue
                    guess = each * evaluations * SLICES
                    took = f"{guess:,.0f} (computed)" if guess > args.most_seconds else timed(run)
                    print(f"| {network} | {size} | {what} | {evaluations:,} | {took} |", flush=True)


def first_call(module: torch.nn.Module, device: torch.device, size: int) -> float:
    """Seconds of the call that compiles, in the shape that the executor uses."""
    with denoiser_on(module, device, threads=1) as denoiser:
        start = time.perf_counter()
        denoiser(torch.zeros(1, 1, size, size), torch.ones(1, dtype=torch.long))
        return time.perf_counter() - start


def some_head(size: int) -> Slices:
    g = torch.Generator().manual_seed(0)
    x_0 = torch.rand(SLICES, 1, size, size, generator=g) * 2 - 1
    return Slices(x_0, torch.ones_like(x_0), list(range(SLICES)), 0)


def timed(run: Callable[[], object]) -> str:
    start = time.perf_counter()
    run()
    return f"{time.perf_counter() - start:.1f}"


def ways(context: Context, head: Slices, T: int) -> list[tuple[str, int, Callable[[], object]]]:
    """What to time: its name, evaluations a slice, and the call."""
    found: list[tuple[str, int, Callable[[], object]]] = [
        ("8 views", 8, lambda: views(context, head)),
        ("9 samples of 100 steps", 900, call(Repeated(Algorithm1(100), 9), context, head)),
    ]
    for name in ("fast", "paper"):
        for method in METHODS:
            estimator = Choice(method, name).estimator(T)
            found.append(
                (f"{name}/{method}", estimator.evaluations(), call(estimator, context, head))
            )
    return found


def call(estimator: Estimator, context: Context, head: Slices) -> Callable[[], object]:
    return lambda: estimator.estimate(head, context)


@torch.inference_mode()
def one_by_one(module: torch.nn.Module, head: Slices, device: torch.device) -> None:
    t = torch.zeros(1, dtype=torch.long, device=device)
    for i in range(SLICES):
        x = head.x_0[i : i + 1].to(device, memory_format=torch.channels_last)
        module(x, t)[1].cpu()


def views(context: Context, head: Slices) -> None:
    t = torch.zeros(SLICES, dtype=torch.long)
    for turns in range(4):
        for flip in (False, True):
            x = torch.rot90(head.x_0, turns, (2, 3))
            context.network(x.flip(-1) if flip else x, t)


if __name__ == "__main__":
    main()
