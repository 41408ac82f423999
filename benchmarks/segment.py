"""Seconds per stage and peak memory of `strokediff segment` for a 30-slice head.

    python benchmarks/segment.py [INPUT] [--runs 3] [--device cpu]

Without INPUT a phantom of 30 slices of 512 x 512 is made. Every run is a process of its own, as
a user's is. Prints the median of the runs with machine and date.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import nibabel as nib

from strokediff.phantom.make import make_phantom

CHILD = """
import resource, sys
from strokediff.cli.app import main
sys.argv = ["strokediff", *sys.argv[1:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--methods", nargs="+", default=["avg", "sal", "infer", "all"])
    parser.add_argument("--model", default="phantom-stroke")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = args.input or phantom(folder)
        print(f"{platform.platform()}, {os.cpu_count()} cores, {date.today()}, {args.device}")
        print("| method | evaluations | wall s | peak MB | seconds per stage |")
        print("| --- | --- | --- | --- | --- |")
        for method in args.methods:
            options = ["--device", args.device, "--preset", args.preset, "--model", args.model]
            runs = [run(source, folder / "out", method, options) for _ in range(args.runs)]
            wall, peak = (statistics.median(r[i] for r in runs) for i in (0, 1))
            report = runs[-1][2]
            stages = ", ".join(f"{k} {v:.1f}" for k, v in report["seconds"].items())
            spent = report["network_evaluations"]
            print(f"| {method} | {spent} | {wall:.1f} | {peak:.0f} | {stages} |", flush=True)


def phantom(folder: Path) -> Path:
    made = make_phantom("infarct", 0, matrix=512, slices=30)
    path = folder / "phantom.nii.gz"
    nib.save(nib.Nifti1Image(made.hu, made.affine), path)
    return path


def run(source: Path, out: Path, method: str, options: list[str]) -> tuple[float, float, dict]:
    command = ["segment", str(source), "-o", str(out), "--method", method, "--quiet", *options]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *command], capture_output=True, text=True, check=True
    )
    wall = time.perf_counter() - start
    kilobytes = float(done.stderr.strip().splitlines()[-1])
    return wall, kilobytes / 1024, json.loads((out / "result.json").read_text())


if __name__ == "__main__":
    main()
