"""Do the methods differ, or the patients? What a benchmark of so many patients can tell apart.

    python benchmarks/patients_or_methods.py SCORES [--metric dice] [--reference unet]

SCORES is the `scores` of `strokediff benchmark`, or published ones (docs/benchmark/SUITE/scores).
Of the sum of squares of `--metric` over rows and patients (each the mean over its seeds): the share
that goes with the patient whatever the method, with the method whatever the patient, and the rest.
Between two rows: Spearman's rho over patients (1: they fail on the same ones). Against
`--reference`: the mean difference, its standard deviation over patients, and the difference that a
paired test of so many patients finds four times in five, (1.96 + 0.84) sd / sqrt(n).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from strokediff.benchmark.scores import RowScore
from strokediff.errors import InputError

Table = dict[str, NDArray[np.float64]]
"""Row -> a value a patient."""


def read(folder: Path, metric: str) -> Table:
    """The metric of every patient who has it in every row, the mean over seeds."""
    table: Table = {}
    for own in sorted(folder.iterdir()):
        seeds = [RowScore.read(file) for file in sorted(own.glob("seed-*.json"))]
        if seeds:
            values = [[getattr(p.metrics, metric) for p in seed.patients] for seed in seeds]
            table[own.name] = np.array(values, dtype=np.float64).mean(0)
    if len(table) < 2:
        raise InputError(f"{folder}: expected the scores of two rows or more, found {len(table)}.")
    there = ~np.isnan(np.array(list(table.values()))).any(0)
    return {name: values[there] for name, values in table.items()}


def shares(table: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """The two-way decomposition of the sum of squares, as shares of all of it."""
    x = np.array(list(table.values()))
    rows, patients = x.mean(1, keepdims=True), x.mean(0, keepdims=True)
    total = float(((x - x.mean()) ** 2).sum())
    parts = {
        "patient": x.shape[0] * float(((patients - x.mean()) ** 2).sum()),
        "method": x.shape[1] * float(((rows - x.mean()) ** 2).sum()),
        "rest": float(((x - rows - patients + x.mean()) ** 2).sum()),
    }
    return {name: part / total for name, part in parts.items()}


def agreement(table: Table) -> float:
    """The mean Spearman's rho between two rows."""
    rho = np.atleast_2d(spearmanr(np.array(list(table.values())), axis=1).statistic)
    if rho.shape == (1, 1):
        return float(rho[0, 0])
    return float(rho[np.triu_indices(len(rho), 1)].mean())


def against(table: Table, reference: str) -> list[str]:
    lines = [
        f"| row | mean difference from {reference} | sd over patients | found 4 times in 5 |",
        "| --- | --- | --- | --- |",
    ]
    for name, values in table.items():
        if name != reference:
            difference = values - table[reference]
            sd = float(difference.std(ddof=1))
            least = (1.96 + 0.84) * sd / np.sqrt(len(values))
            lines.append(f"| {name} | {difference.mean():+.3f} | {sd:.3f} | {least:.3f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--metric", default="dice")
    parser.add_argument("--reference", default="unet")
    args = parser.parse_args()
    table = read(args.scores, args.metric)
    patients = len(next(iter(table.values())))
    print(f"{args.metric}, {len(table)} rows, {patients} patients\n")
    for name, share in shares(table).items():
        print(f"- {name}: {share:.0%} of the sum of squares")
    print(f"- Spearman's rho between two rows, mean: {agreement(table):.2f}\n")
    print("\n".join(against(table, args.reference)))


if __name__ == "__main__":
    main()
