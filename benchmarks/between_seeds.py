"""How often do two trainings of one method differ by the test that tells methods apart?

    python benchmarks/between_seeds.py SCORES [SCORES ...] [--rows R ...]

SCORES is the `scores` of `strokediff benchmark`, or published ones (docs/benchmark/SUITE/scores).
Of every row with two seeds or more the first two are set against each other, patient by patient:
the difference of means, and p of Wilcoxon's signed-rank test. The last table counts p < 0.05: were
seeds of no account, it would be one in twenty.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from strokediff.benchmark.results import TESTED
from strokediff.benchmark.scores import RowScore
from strokediff.errors import UsageError
from strokediff.evaluation.significance import paired_p


def two_seeds(folder: Path, rows: list[str]) -> dict[str, list[RowScore]]:
    """The first two seeds of the rows that have them."""
    names = rows or sorted(own.name for own in folder.glob("*"))
    files = {name: sorted((folder / name).glob("seed-*.json"))[:2] for name in names}
    return {
        name: [RowScore.read(file) for file in own] for name, own in files.items() if len(own) == 2
    }


def values(own: RowScore, metric: str) -> list[float | None]:
    return [getattr(patient.metrics, metric) for patient in own.patients]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path, nargs="+")
    parser.add_argument("--rows", nargs="+", default=[])
    args = parser.parse_args()
    found: dict[str, list[float]] = {metric: [] for metric in TESTED}
    print("| suite | row | metric | second - first | p |\n| --- | --- | --- | --- | --- |")
    for folder in args.scores:
        for row, (first, second) in two_seeds(folder, args.rows).items():
            for metric in TESTED:
                a, b = values(first, metric), values(second, metric)
                both = [(y - x) for x, y in zip(a, b, strict=True) if None not in (x, y)]
                p = paired_p(b, a)
                found[metric].append(p)
                where = folder.resolve().parent.name
                print(f"| {where} | {row} | {metric} | {np.mean(both):+.3f} | {p:.2g} |")
    if not any(found.values()):
        raise UsageError("no row with two seeds. Name other scores or --rows.")
    print("\n| metric | rows | p < 0.05 |\n| --- | --- | --- |")
    every = {**found, "all": [p for own in found.values() for p in own]}
    for metric, own in every.items():
        print(f"| {metric} | {len(own)} | {sum(p < 0.05 for p in own)} |")


if __name__ == "__main__":
    main()
