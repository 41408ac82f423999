"""`python -m strokediff.benchmark.noise.speed`: seconds and bytes of drawing noise, side by side.

Every model is fitted here (on a cohort's training slices, or on smooth fields in an ellipse: what a
draw costs depends on the number of brain pixels, not on what they show), saved, and loaded and
drawn in a process of its own. "stored" is what the model holds; "peak" is the most memory that the
process (on a GPU: the allocator) used for the model and a batch of draws, above what it used before
loading. A training step is that of `reports.training_speed` for a preset's network at this size and
batch. Fitting `fourier` at 448 x 448 with D = 3000 needs 2.5 GB.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from strokediff.benchmark.noise.measure import cost
from strokediff.benchmark.reports.reading import names_in
from strokediff.benchmark.reports.training_speed import seconds_a_step
from strokediff.benchmark.tables import ruled
from strokediff.cohort.brain_slices import BrainSlices
from strokediff.cohort.store import open_cohort
from strokediff.noise.base import Batches
from strokediff.noise.registry import NOISE_MODELS, noise_family, settings_for
from strokediff.noise.store import load_noise, save_noise
from strokediff.training.build import build_network, build_task
from strokediff.training.config import changed, training_preset
from strokediff.util.files import write_json
from strokediff.util.machine import machine_name

AIM_TIMES, AIM_SHARE = 20.0, 0.02
"""Against `fourier`: times faster and smaller; and the share of a training step."""
AIMED = ("calibrated", "low-rank")


@dataclass(frozen=True)
class Drawn:
    """Seconds of a batch, and bytes."""

    seconds: float
    stored: int
    peak: int


def drawn(folder: Path, size: int, batch: int, repeats: int, where: str) -> Drawn:
    """Load the model of `folder` and draw; to be called in a process of its own (Linux)."""
    device = torch.device(where)
    torch.randn(64, 64, device=device) @ torch.randn(64, 64, device=device)
    before, shape = _memory("VmRSS"), (1, size, size)
    model = load_noise(folder)
    model.draw([0], shape, device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")
    spent = cost(model, shape, batch=batch, repeats=repeats, device=device)
    peak = torch.cuda.max_memory_allocated() if on_gpu else _memory("VmHWM") - before
    return Drawn(spent.seconds_per_draw * batch, spent.bytes, peak)


def _memory(what: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {what} in /proc/self/status: expected Linux")


def fields(size: int, count: int) -> Batches:
    """Smooth random fields in an ellipse of a head's proportions, the same at each call."""
    at = torch.linspace(-1, 1, size)
    brain = ((at[:, None] / 0.86) ** 2 + (at[None] / 0.70) ** 2 < 1).float()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, count, 32):
            g = torch.Generator().manual_seed(start)
            coarse = torch.randn(min(32, count - start), 1, 24, 24, generator=g)
            fine = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
            yield (0.2 * fine[:, 0]).clamp(-1, 1) * brain, brain.expand(len(fine), -1, -1)

    return batches


def step_seconds(name: str, size: int, batch: int, device: torch.device) -> float:
    """Of a preset's network and loss, isotropic noise."""
    config = changed(training_preset(name).training, batch_size=batch)
    module = build_network(config, size).to(device).train()
    return seconds_a_step(build_task(config), module, config, size, steps=2)


def compared(found: Mapping[str, Drawn], steps: Mapping[str, float]) -> list[str]:
    """The table, with whether the aims are met."""
    whole = found.get("fourier")
    cells, met = [], {}
    for name, own in found.items():
        faster = whole.seconds / own.seconds if whole else None
        smaller = whole.stored / own.stored if whole and own.stored else None
        shares = [own.seconds / step for step in steps.values()]
        stored = f"{own.stored / 1e6:.1f}", f"{own.peak / 1e6:.1f}", _times(smaller)
        told = [f"{100 * share:.2f} %" for share in shares]
        cells.append([name, f"{1e3 * own.seconds:.2f}", _times(faster), *stored, *told])
        if name in AIMED and faster and smaller:
            enough = min(faster, smaller) >= AIM_TIMES
            met[name] = enough and all(share < AIM_SHARE for share in shares)
    columns = ("noise", "ms a batch", "faster than fourier", "stored MB", "peak MB", "smaller")
    lines = ruled([*columns, *(f"share of a step ({name})" for name in steps)], cells)
    return [*lines, "", f"{AIM_TIMES:g} times faster and smaller, under 2 % of a step: {met}"]


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} x"


def main(
    out: Annotated[Path, typer.Option("-o", "--out")] = Path("noise_speed.json"),
    data: Annotated[Path | None, typer.Option(help="Fit on its training slices.")] = None,
    models: Annotated[str, typer.Option(help="Names with commas.")] = ",".join(NOISE_MODELS),
    steps: Annotated[str, typer.Option(help="Training presets, with commas.")] = "tiny",
    size: int = 448,
    batch: int = 8,
    features: Annotated[int, typer.Option(help="D of fourier.")] = 3000,
    calibrated_features: Annotated[int, typer.Option(help="D of calibrated.")] = 1024,
    rank: int = 256,
    images: Annotated[int, typer.Option(help="Fields to fit on without --data.")] = 320,
    repeats: int = 5,
    device: str = "cpu",
) -> None:
    """Fit, save, load and draw every model; a table and OUT."""
    where = torch.device(device)
    cohort = open_cohort(data) if data else None
    split = cohort.split["train"] if cohort else []
    slices = BrainSlices(cohort, split, size=size) if cohort else fields(size, images)
    spent = {name: step_seconds(name, size, batch, where) for name in names_in(steps)}
    found = {}
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for name in names_in(models):
            D = calibrated_features if name == "calibrated" else features
            wanted = {"D": D, "rank": rank, "seed": 0}
            place = Path(folder) / name
            save_noise(place, noise_family(name).fit(slices, **settings_for(name, wanted)))
            with ProcessPoolExecutor(1, mp_context=spawn) as alone:
                found[name] = alone.submit(drawn, place, size, batch, repeats, device).result()
    about = f"{machine_name(where)}, {date.today()}; {size} x {size}, batch {batch}"
    write_json(
        out, {"about": about, "steps": spent, "models": {k: vars(v) for k, v in found.items()}}
    )
    print("\n".join([about, "", *compared(found, spent)]))


if __name__ == "__main__":
    typer.run(main)
