"""Figures of results beside the truth: overlap, volumes, and what their intervals hold.

    strokediff segment SCANS/images -o RESULTS --model MODEL
    python benchmarks/unseen.py RESULTS SCANS/labels [RESULTS TRUTH ...] [--kind infarct]

RESULTS is a folder of results, TRUTH their true masks; several pairs are one cohort, such as the
folds of one set. With --kind it is that kind of lesion, else any. One row of a table: Dice with a
95 % bootstrap interval over patients, VDP, VC, the share of intervals that hold the true volume,
and their median width above 10 mL in percent of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from strokediff.benchmark.tables import ruled
from strokediff.errors import InputError, UsageError
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.evaluation.metrics import CaseMetrics
from strokediff.evaluation.summary import summarize
from strokediff.prediction.scoring import evaluate_folders
from strokediff.result.record import Record
from strokediff.segmentation.folder import ResultFolder
from strokediff.util.kinds import LESION
from strokediff.util.machine import machine_name

COLUMNS = ("n", "Dice", "found", "VDP", "VC", "interval holds", "width above 10 mL")
LARGE_ML = 10.0
Interval = tuple[float, float]


@dataclass(frozen=True)
class Patient:
    """Metrics, and the volume's interval where there is one."""

    metrics: CaseMetrics
    interval_ml: Interval | None


def patients(results: Path, truth: Path, kind: str) -> Iterator[Patient]:
    """Those of one pair of folders."""
    found = evaluate_folders(results, truth)
    rows = found.rows if kind == LESION else [case.kinds[kind] for case in found.cases]
    if not rows:
        raise InputError(f"{results}: tells no kinds of lesion apart. Leave --kind out.")
    for row in rows:
        record = ResultFolder(results / row.case).record()
        if record is None:
            raise InputError(f"{results / row.case}: no result of this version (result.json).")
        yield Patient(row, interval_of(record, kind))


def interval_of(record: Record, kind: str) -> Interval | None:
    if kind == LESION:
        return record.volume_interval_ml
    return next(own.volume_interval_ml for own in record.kinds if own.name == kind)


def cells(cohort: list[Patient]) -> list[str]:
    """The row."""
    rows = [one.metrics for one in cohort]
    summary, each = summarize(rows), np.array([row.dice for row in rows])
    dice = bootstrap(lambda index: float(each[index].mean()), len(each))
    ends = "" if dice.low is None else f" [{dice.low:.2f}, {dice.high:.2f}]"
    known = [(p.interval_ml, p.metrics.volume_true_ml) for p in cohort if p.interval_ml]
    held = [a <= true <= b for (a, b), true in known]
    widths = [100 * (b - a) / true for (a, b), true in known if true > LARGE_ML]
    hit = sum(not row.pred_empty and row.dice > 0 for row in rows)
    return [
        str(len(rows)),
        f"{dice.value:.2f}{ends}",
        str(hit),
        _told(summary.mean["vdp"]),
        _told(summary.vc),
        f"{np.mean(held):.2f}" if held else "-",
        f"{np.median(widths):.0f} %" if widths else "-",
    ]


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main(
    folders: Annotated[list[Path], typer.Argument(metavar="RESULTS TRUTH ...")],
    kind: Annotated[str, typer.Option(help="A kind of lesion; else any.")] = LESION,
) -> None:
    """Print the row."""
    if len(folders) % 2:
        raise UsageError(
            f"{len(folders)} folders. Expected pairs: RESULTS TRUTH, RESULTS TRUTH, ..."
        )
    pairs = zip(folders[::2], folders[1::2], strict=True)
    cohort = [one for results, truth in pairs for one in patients(results, truth, kind)]
    print(f"{kind}; {machine_name()}, {date.today()}")
    print("\n".join(ruled(COLUMNS, [cells(cohort)])))


if __name__ == "__main__":
    typer.run(main)
