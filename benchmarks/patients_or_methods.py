"""Do the methods differ, or the patients? What a benchmark of so many patients can tell apart.

    python benchmarks/patients_or_methods.py SCORES [SCORES ...] [--metric dice] [--reference unet]
                                             [--rows R ...] [--seeds K ...]

SCORES is the `scores` of `strokediff benchmark`, or published ones (docs/benchmark/SUITE/scores);
those of several folds are put together, rows that all of them have. `--rows` takes some of them,
for example one a training, and `--seeds` those seeds alone, so that a row of one seed is not set
against the mean of two. A row whose values do not vary (it finds nothing) is left out and named.
Of the sum of squares of `--metric` over rows and patients (each the mean over its seeds): the share
that goes with the patient whatever the method, with the method whatever the patient, and the rest.
Between two rows: Spearman's rho over patients (1: they fail on the same ones). Against
`--reference`: the mean difference with its 95 % bootstrap interval, its standard deviation over
patients, and the difference that a paired test of so many patients finds four times in five,
(1.96 + 0.84) sd / sqrt(n).
Volumes: Pearson's r and Spearman's rho of the found volumes between two rows, and of a row with the
true ones, means over rows; and VC without the patient whose absence changes it most on average.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from strokediff.benchmark.folds import joined
from strokediff.benchmark.results import check_patients
from strokediff.benchmark.scores import RowScore
from strokediff.errors import InputError, UsageError
from strokediff.evaluation.bootstrap import bootstrap

Scores = dict[str, list[RowScore]]
Table = dict[str, NDArray[np.float64]]
"""Row -> a value a patient."""


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The options that say what `read` takes."""
    parser.add_argument("--rows", nargs="+", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[])


def read(folders: Sequence[Path], rows: Sequence[str], seeds: Sequence[int]) -> Scores:
    """The rows of every folder at those seeds (all if none), their patients put together."""
    wanted = [f"seed-{seed}.json" for seed in seeds] or ["seed-*.json"]
    folds = []
    for folder in folders:
        names = rows or sorted(own.name for own in folder.glob("*"))
        files = {
            name: sorted(f for pattern in wanted for f in (folder / name).glob(pattern))
            for name in names
        }
        missing = [name for name, own in files.items() if not own]
        if missing:
            raise UsageError(f"{folder}: no scores of {', '.join(missing)}. Name other --rows.")
        folds.append({name: [RowScore.read(f) for f in own] for name, own in files.items()})
    found = joined(folds)
    check_patients(found)
    if len(found) < 2:
        raise InputError(f"{folders[0]}: expected two rows or more in every folder.")
    return found


def tabled(scores: Scores, metric: str) -> Table:
    """The metric of every patient who has it in every row, the mean over seeds."""
    table = {
        name: np.array(
            [[getattr(p.metrics, metric) for p in seed.patients] for seed in seeds], np.float64
        ).mean(0)
        for name, seeds in scores.items()
    }
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


def between(table: Table, correlate: Callable[..., Any]) -> float:
    """The mean correlation of two rows."""
    return float(np.mean([correlate(a, b).statistic for a, b in combinations(table.values(), 2)]))


def volumes(scores: Scores) -> list[str]:
    """What the found volumes have to do with each other and with the true ones."""
    found = tabled(scores, "volume_pred_ml")
    true = next(iter(tabled(scores, "volume_true_ml").values()))
    lines = ["| volumes | between two rows | of a row with the label |", "| --- | --- | --- |"]
    for name, correlate in (("Pearson's r", pearsonr), ("Spearman's rho", spearmanr)):
        own = np.mean([correlate(row, true).statistic for row in found.values()])
        lines.append(f"| {name} | {between(found, correlate):.2f} | {own:.2f} |")
    names = [p.metrics.case for p in next(iter(scores.values()))[0].patients]
    without = np.array(
        [
            [pearsonr(np.delete(row, i), np.delete(true, i)).statistic for i in range(len(true))]
            for row in found.values()
        ]
    )
    vc = np.array([[pearsonr(row, true).statistic] for row in found.values()])
    most = int(np.abs(without - vc).mean(0).argmax())
    lines += ["", f"| row | VC | VC without {names[most]} |", "| --- | --- | --- |"]
    rows_of_vc = zip(found, vc[:, 0], without[:, most], strict=True)
    return lines + [f"| {name} | {own:.2f} | {left:.2f} |" for name, own, left in rows_of_vc]


def against(table: Table, reference: str) -> list[str]:
    if reference not in table:
        raise UsageError(f"no row '{reference}'; expected one of: {', '.join(table)}")
    lines = [
        f"| row | mean difference from {reference} | sd over patients | found 4 times in 5 |",
        "| --- | --- | --- | --- |",
    ]
    for name, values in table.items():
        if name != reference:
            difference = values - table[reference]
            sd = float(difference.std(ddof=1))
            least = (1.96 + 0.84) * sd / np.sqrt(len(values))
            own = bootstrap(lambda index, d=difference: float(d[index].mean()), len(values))
            mean = f"{own.value:+.3f} [{own.low:+.3f}, {own.high:+.3f}]"
            lines.append(f"| {name} | {mean} | {sd:.3f} | {least:.3f} |")
    return lines


def that_vary(scores: Scores, metric: str) -> Scores:
    """Rows whose values and volumes vary over patients: others have no correlation."""
    same = {
        name
        for values in (tabled(scores, metric), tabled(scores, "volume_pred_ml"))
        for name, own in values.items()
        if not np.ptp(own)
    }
    if same:
        print(f"Left out, alike in all patients: {', '.join(sorted(same))}\n")
    kept = {name: seeds for name, seeds in scores.items() if name not in same}
    if len(kept) < 2:
        raise InputError("expected two rows or more whose values vary over patients.")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path, nargs="+")
    parser.add_argument("--metric", default="dice")
    parser.add_argument("--reference", default="unet")
    add_choice(parser)
    args = parser.parse_args()
    scores = that_vary(read(args.scores, args.rows, args.seeds), args.metric)
    table = tabled(scores, args.metric)
    patients = len(next(iter(table.values())))
    print(f"{args.metric}, {len(table)} rows, {patients} patients\n")
    for name, share in shares(table).items():
        print(f"- {name}: {share:.0%} of the sum of squares")
    print(f"- Spearman's rho between two rows, mean: {between(table, spearmanr):.2f}\n")
    print("\n".join([*against(table, args.reference), "", *volumes(scores)]))


if __name__ == "__main__":
    main()
