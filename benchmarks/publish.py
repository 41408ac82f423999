"""Put a suite's scores, tables and figures into docs/benchmark: what is published of a benchmark.

    python benchmarks/publish.py DIR [--cases]

DIR is the -o of `strokediff benchmark`. Its scores, those of its folds too, are copied to
docs/benchmark/SUITE, beside those that are there, and tables and figures are made of all of them.
`--cases` copies DIR/cases.png too, where it shows phantoms: pictures of patients stay in DIR. It
has the rows whose masks are in DIR, which may be fewer than the table has.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from strokediff.benchmark.budgets import budget
from strokediff.benchmark.folds import Fold
from strokediff.benchmark.report import write_report
from strokediff.benchmark.runner import Benchmark, read_claim
from strokediff.benchmark.suites import suite
from strokediff.cohort.store import open_cohort
from strokediff.errors import UsageError

DOCS = Path(__file__).parents[1] / "docs" / "benchmark"
PUBLISHED = "small"


def numbers_of_folds(folder: Path) -> set[int]:
    """The N of every fold-K-of-N in `folder`."""
    return {int(fold.name.rpartition("-")[2]) for fold in folder.glob("fold-*-of-*")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--cases", action="store_true")
    args = parser.parse_args()
    claim = read_claim(args.dir)
    chosen, at = suite(claim["suite"]), budget(claim["budget"])
    if at.name != PUBLISHED:
        raise UsageError(
            f"{args.dir}: of budget '{at.name}', and docs/benchmark is of {PUBLISHED}."
        )
    cohort, out = open_cohort(args.dir / "cohort"), DOCS / chosen.name
    for scores in [args.dir / "scores", *args.dir.glob("fold-*-of-*/scores")]:
        if scores.is_dir():
            place = out / scores.relative_to(args.dir)
            leftovers = shutil.ignore_patterns(".*")
            shutil.copytree(scores, place, dirs_exist_ok=True, ignore=leftovers)
    for n in (1, *sorted(numbers_of_folds(out))):
        folds = [Benchmark(chosen, at, out, fold=Fold(k, n)) for k in range(n)]
        written = write_report(folds, cohort)
        if written is not None:
            (written / "results.json").unlink()  # the same figures as benchmark.csv
            print(written / "benchmark.md")
    if args.cases and chosen.synthetic and (args.dir / "cases.png").is_file():
        shutil.copyfile(args.dir / "cases.png", out / "cases.png")


if __name__ == "__main__":
    main()
