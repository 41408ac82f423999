"""Put a suite's scores, tables and figures into docs/benchmark: what is published of a benchmark.

    python benchmarks/publish.py DIR [--cases] [--docs docs/benchmark]

DIR is the -o of `strokediff benchmark`. Its scores, those of its folds too, are copied to
DOCS/SUITE, beside those that are there, and tables and figures are made of all of them.
`--cases` copies DIR/cases.png too, where it shows phantoms: pictures of patients stay in DIR. It
has the rows whose masks are in DIR, which may be fewer than the table has.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import typer

from strokediff.benchmark.budgets import budget
from strokediff.benchmark.folds import Fold
from strokediff.benchmark.report import write_benchmark
from strokediff.benchmark.runner import Benchmark, read_claim
from strokediff.benchmark.suites import suite
from strokediff.cohort.store import open_cohort
from strokediff.errors import UsageError

DOCS = Path(__file__).parents[1] / "docs" / "benchmark"
PUBLISHED = "small"


def main(folder: Path, cases: bool = False, docs: Path = DOCS) -> None:
    claim = read_claim(folder)
    chosen, at = suite(claim["suite"]), budget(claim["budget"])
    if at.name != PUBLISHED:
        raise UsageError(f"{folder}: of budget '{at.name}', and docs/benchmark is of {PUBLISHED}.")
    cohort, out = open_cohort(folder / "cohort"), docs / chosen.name
    for scores in [folder / "scores", *folder.glob("fold-*-of-*/scores")]:
        if scores.is_dir():
            place = out / scores.relative_to(folder)
            leftovers = shutil.ignore_patterns(".*")
            shutil.copytree(scores, place, dirs_exist_ok=True, ignore=leftovers)
    numbers = {int(fold.name.rpartition("-")[2]) for fold in out.glob("fold-*-of-*")}
    for n in (1, *sorted(numbers)):
        folds = [Benchmark(chosen, at, out, fold=Fold(k, n)) for k in range(n)]
        written = write_benchmark(folds, cohort)
        if written is not None:
            (written / "results.json").unlink()  # the same figures as benchmark.csv
            print(written / "benchmark.md")
    if cases and chosen.synthetic and (folder / "cases.png").is_file():
        shutil.copyfile(folder / "cases.png", out / "cases.png")


if __name__ == "__main__":
    typer.run(main)
