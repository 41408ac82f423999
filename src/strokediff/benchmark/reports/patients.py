"""Do the methods differ, or the patients? What a benchmark of so many patients can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from strokediff.benchmark.results import mean_of_scans, values_of_scans
from strokediff.benchmark.scores import RowScores
from strokediff.benchmark.tables import ruled, told
from strokediff.errors import InputError, UsageError
from strokediff.evaluation.bootstrap import bootstrap

Values = dict[str, NDArray[np.float64]]
"""Row -> a value a scan."""


def patients_or_methods(scores: RowScores, metric: str, reference: str) -> list[str]:
    """Shares of the sum of squares, differences from `reference`, and what the volumes share.

    A row whose values do not vary over patients (it finds nothing) is left out and named. Raises
    `InputError` where fewer than two rows are left, `UsageError` without the reference.
    """
    kept, dull = _that_vary(scores, metric)
    values = _values(kept, metric)
    scans = len(next(iter(values.values())))
    rho = _between(values, spearmanr)
    return [
        *([f"Left out, alike in all patients: {', '.join(dull)}", ""] if dull else []),
        *(f"{metric}, {len(values)} rows, {scans} patients", ""),
        *(f"- {what}: {share:.0%} of the sum of squares" for what, share in shares(values).items()),
        *(f"- Spearman's rho between two rows, mean: {rho:.2f}", ""),
        *_differences(values, reference),
        *("", *_volumes(kept)),
    ]


def shares(values: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """The two-way decomposition of the sum of squares over rows and patients, as shares of it.

    What goes with the patient whatever the method, with the method whatever the patient, the rest.
    """
    x = np.array(list(values.values()))
    rows, patients = x.mean(1, keepdims=True), x.mean(0, keepdims=True)
    total = float(((x - x.mean()) ** 2).sum())
    parts = {
        "patient": x.shape[0] * float(((patients - x.mean()) ** 2).sum()),
        "method": x.shape[1] * float(((rows - x.mean()) ** 2).sum()),
        "rest": float(((x - rows - patients + x.mean()) ** 2).sum()),
    }
    return {name: part / total for name, part in parts.items()}


def _values(scores: RowScores, metric: str) -> Values:
    """The metric of every scan that has it in every row, the mean over seeds."""
    found = {name: values_of_scans(seeds, metric) for name, seeds in scores.items()}
    there = ~np.isnan(np.array(list(found.values()))).any(0)
    return {name: own[there] for name, own in found.items()}


def _that_vary(scores: RowScores, metric: str) -> tuple[RowScores, list[str]]:
    """Rows whose values and volumes vary over patients, and those that correlate with nothing."""
    found = [_values(scores, name) for name in (metric, "volume_pred_ml")]
    dull = sorted({name for values in found for name, own in values.items() if not np.ptp(own)})
    kept = {name: seeds for name, seeds in scores.items() if name not in dull}
    if len(kept) < 2:
        raise InputError("expected two rows or more whose values vary over patients.")
    return kept, dull


def _between(values: Values, correlate: Callable[..., Any]) -> float:
    """The mean correlation of two rows (1: they fail on the same patients)."""
    pairs = combinations(values.values(), 2)
    return float(np.mean([correlate(a, b).statistic for a, b in pairs]))


def _differences(values: Values, reference: str) -> list[str]:
    """Mean difference with its 95 % bootstrap interval, its standard deviation over patients.

    Last what a paired test of so many patients finds four times in five,
    (1.96 + 0.84) sd / sqrt(n).
    """
    if reference not in values:
        raise UsageError(f"no row '{reference}'; expected one of: {', '.join(values)}")
    cells = []
    for name, own in values.items():
        if name != reference:
            apart = own - values[reference]
            sd = float(apart.std(ddof=1))
            least = (1.96 + 0.84) * sd / np.sqrt(len(apart))
            mean = bootstrap(mean_of_scans(apart), len(apart))
            cells.append([name, told(mean), f"{sd:.3f}", f"{least:.3f}"])
    mean_of = f"mean difference from {reference}"
    return ruled(("row", mean_of, "sd over patients", "found 4 times in 5"), cells)


def _volumes(scores: RowScores) -> list[str]:
    """What found volumes have to do with each other and with the true ones, means over rows.

    And VC without the patient whose absence changes it most on average.
    """
    found = _values(scores, "volume_pred_ml")
    first = next(iter(scores.values()))
    true = values_of_scans(first, "volume_true_ml")
    kinds = {"Pearson's r": pearsonr, "Spearman's rho": spearmanr}
    cells = [
        [name, f"{_between(found, correlate):.2f}", f"{own:.2f}"]
        for name, correlate in kinds.items()
        for own in [np.mean([correlate(row, true).statistic for row in found.values()])]
    ]
    vc = np.array([pearsonr(row, true).statistic for row in found.values()])
    without = np.array(
        [[_without(row, true, i) for i in range(len(true))] for row in found.values()]
    )
    most = int(np.abs(without - vc[:, None]).mean(0).argmax())
    left = zip(found, vc, without[:, most], strict=True)
    name = first[0].patients[most].metrics.case
    lines = ruled(("volumes", "between two rows", "of a row with the label"), cells)
    rows = [[row, f"{own:.2f}", f"{less:.2f}"] for row, own, less in left]
    return [*lines, "", *ruled(("row", "VC", f"VC without {name}"), rows)]


def _without(row: NDArray[np.float64], true: NDArray[np.float64], i: int) -> float:
    return float(pearsonr(np.delete(row, i), np.delete(true, i)).statistic)
