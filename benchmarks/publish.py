"""Put a suite's scores, tables and figures into docs/benchmark: what is published of a benchmark.

    python benchmarks/publish.py DIR [--budget small]

DIR is the -o of `strokediff benchmark`. Its scores, those of its folds too, are copied to
docs/benchmark/SUITE, beside those that are there, and tables and figures are made of all of them.
Heads are shown where they are phantoms: pictures of patients stay in DIR.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from strokediff.benchmark.arms import arms
from strokediff.benchmark.budgets import budget
from strokediff.benchmark.folds import Fold
from strokediff.benchmark.report import write_reports
from strokediff.benchmark.runner import CLAIM, Benchmark
from strokediff.benchmark.suites import suite
from strokediff.data.cohort import open_cohort

DOCS = Path(__file__).parents[1] / "docs" / "benchmark"
SEEDS = range(10)


def numbers_of_folds(folder: Path) -> set[int]:
    """The N of every fold-K-of-N in `folder`."""
    return {int(fold.name.rpartition("-")[2]) for fold in folder.glob("fold-*-of-*")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--budget", default="small")
    args = parser.parse_args()
    chosen = suite(json.loads((args.dir / CLAIM).read_text())["suite"])
    cohort, out = open_cohort(args.dir / "cohort"), DOCS / chosen.name
    for scores in [args.dir / "scores", *args.dir.glob("fold-*-of-*/scores")]:
        if scores.is_dir():
            shutil.copytree(scores, out / scores.relative_to(args.dir), dirs_exist_ok=True)
    at = budget(args.budget)
    every = arms([], chosen, at)
    for n in (1, *sorted(numbers_of_folds(out))):
        folds = [Benchmark(chosen, at, out, fold=Fold(k, n)) for k in range(n)]
        place = write_reports(folds, cohort, every, SEEDS)
        if place is not None:
            (place / "results.json").unlink()  # the same figures as benchmark.csv
            print(place / "benchmark.md")
    if chosen.synthetic and (args.dir / "cases.png").is_file():
        shutil.copyfile(args.dir / "cases.png", out / "cases.png")


if __name__ == "__main__":
    main()
