"""How often do two trainings of one method differ by the test that tells methods apart?

    python benchmarks/between_seeds.py SCORES [SCORES ...]

SCORES is the `scores` of `strokediff benchmark`, or published ones (docs/benchmark/SUITE/scores).
Of every row with two seeds or more the first two are set against each other, patient by patient:
the difference of means, and p of Wilcoxon's signed-rank test. The last table counts p < 0.05: were
seeds of no account, it would be one in twenty.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from strokediff.benchmark.results import TESTED
from strokediff.benchmark.scores import RowScore
from strokediff.errors import UsageError
from strokediff.evaluation.significance import against


def two_seeds(folder: Path) -> dict[str, list[RowScore]]:
    """The first two seeds of the rows that have them."""
    files = {own.name: sorted(own.glob("seed-*.json"))[:2] for own in sorted(folder.glob("*"))}
    return {name: [RowScore.read(f) for f in own] for name, own in files.items() if len(own) == 2}


def values(own: RowScore, metric: str) -> list[float | None]:
    return [getattr(patient.metrics, metric) for patient in own.patients]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path, nargs="+")
    args = parser.parse_args()
    found: dict[str, list[float]] = {metric: [] for metric in TESTED}
    print("| suite | row | metric | second - first | p |\n| --- | --- | --- | --- | --- |")
    for folder in args.scores:
        for row, (first, second) in two_seeds(folder).items():
            for metric in TESTED:
                own = against({row: (values(second, metric), values(first, metric))})[row]
                found[metric].append(own.p)
                where = folder.resolve().parent.name
                print(f"| {where} | {row} | {metric} | {own.mean:+.3f} | {own.p:.2g} |")
    if not any(found.values()):
        raise UsageError("no row with two seeds. Name other scores.")
    print("\n| metric | rows | p < 0.05 |\n| --- | --- | --- |")
    every = {**found, "all": [p for own in found.values() for p in own]}
    for metric, values_of_p in every.items():
        print(f"| {metric} | {len(values_of_p)} | {sum(p < 0.05 for p in values_of_p)} |")


if __name__ == "__main__":
    main()
