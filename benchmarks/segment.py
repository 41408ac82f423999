"""Seconds per stage and peak memory of `strokediff segment` for a 30-slice head.

    python benchmarks/segment.py [INPUT] [--runs 3] [--methods avg,sal] [--device cpu]

Without INPUT a phantom of 30 slices of 512 x 512 is made. Every run is a process of its own, as
a user's is. Prints the median of the runs with machine and date.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import nibabel as nib
import typer

from strokediff.benchmark.tables import ruled
from strokediff.inference.estimation import METHODS
from strokediff.phantom.make import make_phantom
from strokediff.util.machine import machine_name

CHILD = """
import resource, sys
from strokediff.cli.app import main
sys.argv = ["strokediff", *sys.argv[1:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def main(
    source: Annotated[Path | None, typer.Argument(metavar="[INPUT]")] = None,
    runs: int = 3,
    device: str = "cpu",
    preset: str = "fast",
    methods: str = ",".join(METHODS),
    model: str = "phantom-stroke",
    slices: Annotated[int, typer.Option(help="Of the phantom.")] = 30,
) -> None:
    options = ["--device", device, "--preset", preset, "--model", model]
    cells = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        head = source or phantom(folder, slices)
        for method in methods.split(","):
            done = [run(head, folder / "out", method, options) for _ in range(runs)]
            wall, peak = (statistics.median(own[i] for own in done) for i in (0, 1))
            report = done[-1][2]
            stages = ", ".join(f"{stage} {took:.1f}" for stage, took in report["seconds"].items())
            spent = str(report["network_evaluations"])
            cells.append([method, spent, f"{wall:.1f}", f"{peak:.0f}", stages])
    print(f"{machine_name(device)}, {date.today()}")
    columns = ("method", "evaluations", "wall s", "peak MB", "seconds per stage")
    print("\n".join(ruled(columns, cells)))


def phantom(folder: Path, slices: int) -> Path:
    made = make_phantom("infarct", 0, matrix=512, slices=slices)
    path = folder / "phantom.nii.gz"
    nib.save(nib.Nifti1Image(made.hu, made.affine), path)
    return path


def run(source: Path, out: Path, method: str, options: list[str]) -> tuple[float, float, Any]:
    """Seconds, MB at most, and result.json."""
    command = ["segment", str(source), "-o", str(out), "--method", method, "--quiet", *options]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *command], capture_output=True, text=True, check=True
    )
    wall = time.perf_counter() - start
    kilobytes = float(done.stderr.strip().splitlines()[-1])
    return wall, kilobytes / 1024, json.loads((out / "result.json").read_text())


if __name__ == "__main__":
    typer.run(main)
