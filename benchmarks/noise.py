"""Seconds and bytes of drawing noise at 448 x 448, side by side in one run, per training step.

    python benchmarks/noise.py [-o noise_speed.json] [--device cpu] [--data COHORT]
                               [--size 448] [--batch 8] [--features 3000] [--rank 256]
                               [--steps tiny paper]

Every model is fitted here (on COHORT's training slices, or on smooth fields in an ellipse: what a
draw costs depends on the number of brain pixels, not on what they show), saved, and loaded and
drawn in a process of its own. `seconds` is the median of the batches after the first. `stored` is
what the model holds; `peak` is the most memory that the process (on a GPU: the allocator) used for
the model and a batch of draws, above what it used before loading. A training step is the loss,
backward and Adam of a preset's network at this size and batch; where memory is short, --step-batch
times fewer slices and scales up, which the table says. Fitting `fourier` at 448 x 448 with
D = 3000 needs 2.5 GB. Figures are worth printing only from a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from strokediff.benchmark.noise.measure import cost, stored_bytes
from strokediff.cohort.brain_slices import BrainSlices
from strokediff.cohort.store import open_cohort
from strokediff.core.objective import Objective
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.noise.registry import NOISE_MODELS, settings_for
from strokediff.noise.store import load_noise, save_noise
from strokediff.training.build import build_network
from strokediff.training.config import training_preset

AIM_TIMES, AIM_SHARE = 20.0, 0.02


def main() -> None:
    args = arguments()
    if args.child:
        print(json.dumps(drawing(args.child, args)))
        return
    device = torch.device(args.device)
    print(f"{machine(device)}, {date.today()}, {torch.get_num_threads()} threads", flush=True)
    steps = {name: training_step(name, args, device) for name in args.steps}
    for name, step in steps.items():
        print(f"step of {name}: {step['seconds']:.3f} s ({step['note']})", flush=True)
    rows = {}
    batches = (
        BrainSlices(open_cohort(args.data), open_cohort(args.data).split["train"], size=args.size)
        if args.data
        else fields(args.size, args.images)
    )
    with tempfile.TemporaryDirectory() as name:
        for model in args.models:
            folder = Path(name) / model
            rows[model] = {"fit_seconds": fit(model, batches, folder, args)}
            rows[model] |= child(folder, args)
            print(f"{model}: {rows[model]}", flush=True)
    report(args, device, steps, rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("noise_speed.json"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--features", type=int, default=3000)
    parser.add_argument("--calibrated-features", type=int, default=1024)
    parser.add_argument("--rank", type=int, default=256)
    parser.add_argument("--images", type=int, default=320, help="Fields to fit on without --data.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(NOISE_MODELS), choices=NOISE_MODELS)
    parser.add_argument("--steps", nargs="*", default=["tiny"])
    parser.add_argument("--step-batch", type=int, help="Slices a timed step; default: the batch.")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def fields(size: int, count: int) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
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


def fit(name: str, batches: Any, folder: Path, args: argparse.Namespace) -> float:
    features = args.calibrated_features if name == "calibrated" else args.features
    wanted = {"D": features, "rank": args.rank, "seed": 0}
    start = time.perf_counter()
    model = NOISE_MODELS[name].fit(batches, **settings_for(name, wanted))
    spent = time.perf_counter() - start
    save_noise(folder, model)
    return spent


def child(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    options = ["--child", folder, "--device", args.device, "--size", args.size]
    options += ["--batch", args.batch, "--repeats", args.repeats]
    command = [sys.executable, __file__, *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def drawing(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """In the child: load, draw, and what that took."""
    device = torch.device(args.device)
    shape = (1, args.size, args.size)
    torch.randn(64, 64, device=device) @ torch.randn(64, 64, device=device)
    before = memory("VmRSS")
    model = load_noise(folder)
    model.draw([0], shape, device)
    reset_peak(device)
    spent = cost(model, shape, batch=args.batch, repeats=args.repeats, device=device)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else memory("VmHWM") - before
    return {
        "seconds_per_batch": spent.seconds_per_draw * args.batch,
        "stored_bytes": stored_bytes(model),
        "peak_bytes": peak,
    }


def memory(what: str) -> int:
    """VmRSS or VmHWM of this process in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {what} in /proc/self/status: this benchmark needs Linux")


def reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def training_step(name: str, args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Seconds of loss, backward and Adam for a batch, the noise given."""
    config = training_preset(name).training
    module = build_network(config, args.size).to(device).train()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4)
    objective = Objective(SynchronousProcess(sigmoid_schedule(config.T)), config.loss)
    count = args.step_batch or args.batch
    g = torch.Generator().manual_seed(0)
    shape = (count, 1, args.size, args.size)
    x, eps = (torch.randn(shape, generator=g).to(device) for _ in range(2))
    y, m = -torch.ones(shape, device=device), torch.ones(shape, device=device)
    t = torch.randint(0, config.T + 1, (count,), generator=g).to(device)
    spent = []
    for _ in range(3):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        objective(module, x, y, m, eps, t)["loss"].backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - start)
    seconds = statistics.median(spent[1:]) * args.batch / count
    note = f"batch {args.batch}"
    if count != args.batch:
        note += f", {args.batch / count:g} times a timed batch of {count}"
    return {"seconds": seconds, "note": note}


def machine(device: torch.device) -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = f"{names[0]} x {len(names)}" if names else platform.machine()
    return f"{cpu}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else cpu


def report(
    args: argparse.Namespace, device: torch.device, steps: dict[str, Any], rows: dict[str, Any]
) -> None:
    """The table, and everything as JSON."""
    shares = [f"share of a step ({name}) | " for name in steps]
    print(f"\n{machine(device)}, {date.today()}; {args.size} x {args.size}, batch {args.batch}")
    print(
        "\n| noise | ms a batch | faster than fourier | stored MB | peak MB | smaller | "
        + "".join(shares)
    )
    print("| --- " * (6 + len(steps)) + "|")
    whole = rows.get("fourier")
    for name, row in rows.items():
        for key, gain in (("seconds_per_batch", "times_faster"), ("stored_bytes", "times_smaller")):
            row[gain] = whole[key] / row[key] if whole and row[key] else None
        seconds = row["seconds_per_batch"]
        row["share_of_step"] = {k: seconds / step["seconds"] for k, step in steps.items()}
        cells = [name, f"{1e3 * seconds:.2f}", times(row["times_faster"])]
        cells += [f"{row['stored_bytes'] / 1e6:.1f}", f"{row['peak_bytes'] / 1e6:.1f}"]
        cells += [times(row["times_smaller"])]
        cells += [f"{100 * share:.2f} %" for share in row["share_of_step"].values()]
        print("| " + " | ".join(cells) + " |")
    settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    content = {
        "machine": machine(device),
        "date": str(date.today()),
        "threads": torch.get_num_threads(),
        "settings": settings,
        "steps": steps,
        "models": rows,
        "aims_met": aims(rows),
    }
    args.out.write_text(json.dumps(content, indent=1))
    print(f"\naims (20 times faster and smaller, under 2 % of a step): {content['aims_met']}")


def times(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} x"


def aims(rows: dict[str, Any]) -> dict[str, bool]:
    """Whether calibrated and low-rank meet all three aims."""
    return {
        name: all(rows[name][k] >= AIM_TIMES for k in ("times_faster", "times_smaller"))
        and all(share < AIM_SHARE for share in rows[name]["share_of_step"].values())
        for name in ("calibrated", "low-rank")
        if name in rows and "fourier" in rows
    }


if __name__ == "__main__":
    main()
