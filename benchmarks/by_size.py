"""Which lesions does a method find? The Dice of a benchmark's rows by the size of the lesion.

    python benchmarks/by_size.py SCORES [--rows unet sdpm-avg ...] [--seeds K ...]

SCORES is the `scores` of `strokediff benchmark`, or published ones (docs/benchmark/SUITE/scores).
Patients with a lesion in thirds of its true volume, mean Dice in each; how many of them have
nothing marked; patients without a lesion, and how many of them have something marked. Each is the
mean over the row's seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from patients_or_methods import add_choice, read

from strokediff.benchmark.scores import RowScore


def line(row: str, seeds: list[RowScore]) -> str:
    """A row of the table."""

    def column(field: str) -> np.ndarray:
        return np.array([[getattr(p.metrics, field) for p in s.patients] for s in seeds]).mean(0)

    true, dice = column("volume_true_ml"), column("dice")
    there = np.flatnonzero(true > 0)
    thirds = np.array_split(there[np.argsort(true[there], kind="stable")], 3)
    missed = column("pred_empty")[there].sum()
    invented = (1.0 - column("pred_empty"))[true == 0].sum()
    cells = [*(f"{dice[third].mean():.3f}" for third in thirds), f"{missed:g} of {len(there)}"]
    return f"| {row} | {' | '.join(cells)} | {invented:g} of {len(true) - len(there)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    add_choice(parser)
    args = parser.parse_args()
    found = read([args.scores], args.rows, args.seeds)
    first = next(iter(found.values()))[0].patients
    true = np.sort([p.metrics.volume_true_ml for p in first if not p.metrics.truth_empty])
    ends = [part[-1] for part in np.array_split(true, 3)]
    print(f"thirds: up to {ends[0]:.1f}, {ends[1]:.1f} and {ends[2]:.1f} (mL, or pixels)\n")
    print("| row | Dice, small | middle | large | missed | marked without a lesion |")
    print("| --- " * 6 + "|")
    for row, seeds in found.items():
        print(line(row, seeds))


if __name__ == "__main__":
    main()
