"""How `trust` relates to error: of whom it warns, and how much worse the results are there.

    python benchmarks/trust.py ANSWERS [ANSWERS ...] [--estimation fast/sal] [--kind haemorrhage]
    python benchmarks/trust.py RESULTS --truth LABELS

ANSWERS are sheets that `strokediff calibrate --answers` wrote, one a fold: every fold's scans are
judged by what the other folds chose, and their unlikeness is from the scans of the other folds.
RESULTS is a folder of `strokediff segment` of several patients, LABELS their true masks. Printed
are Dice where there is a lesion, the error of the volume and the interval's coverage, of scans that
are trusted and that are not, and the area under the ROC curve of the unlikeness for large errors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from strokediff.benchmark.reports.crossfitted import judged
from strokediff.benchmark.tables import ruled
from strokediff.errors import UsageError
from strokediff.evaluation.auc import area_under_roc
from strokediff.prediction.scoring import evaluate_folders
from strokediff.result.record import Record
from strokediff.segmentation.calibrate.answers import Sheet
from strokediff.segmentation.trust.population import Population

LARGE_ML = 10.0
COLUMNS = ("scans", "n", "Dice", "volume off by, median mL", "by 10 mL or more", "interval holds")


@dataclass(frozen=True)
class Row:
    """A scan: whether it is trusted, its unlikeness, and how far its result is off."""

    ok: bool
    unlikeness: float
    true_ml: float
    found_ml: float
    dice: float
    interval_ml: tuple[float, float] | None

    @property
    def off_ml(self) -> float:
        """By how much the volume is off."""
        return abs(self.found_ml - self.true_ml)

    @property
    def held(self) -> bool | None:
        """Whether the interval holds the true volume; None without one."""
        if self.interval_ml is None:
            return None
        low, high = self.interval_ml
        return low <= self.true_ml <= high


def main(
    sources: Annotated[list[Path], typer.Argument(metavar="ANSWERS|RESULTS")],
    truth: Annotated[Path | None, typer.Option(metavar="LABELS")] = None,
    estimation: str = "fast/sal",
    kind: Annotated[str, typer.Option(help="Of lesion; of all if not given.")] = "",
) -> None:
    if truth is None:
        rows = of_answers([Sheet.read([path]) for path in sources], estimation, kind)
    elif len(sources) == 1:
        rows = of_results(sources[0], truth)
    else:
        raise UsageError("expected one folder of results with --truth.")
    print("\n".join(table(rows)))
    print(f"\nArea under the ROC curve of the unlikeness, {len(rows)} results:")
    bad = {
        "Dice below 0.5": [row.dice < 0.5 for row in rows],
        f"volume off by {LARGE_ML:g} mL or more": [row.off_ml >= LARGE_ML for row in rows],
        "volume not in the interval": [row.held is False for row in rows],
    }
    for what, which in bad.items():
        found = area_under_roc(
            prob=np.array([row.unlikeness for row in rows]), mask_true=np.array(which)
        )
        print(f"  {what} ({sum(which)}): {'none' if found is None else f'{found:.2f}'}")


def of_answers(folds: Sequence[Sheet], estimation: str, kind: str) -> list[Row]:
    """Every scan (and kind of lesion) by what the other folds chose and know."""
    unlikeness: dict[str, float] = {}
    for k, fold in enumerate(folds):
        others = [a.features for j, own in enumerate(folds) if j != k for a in own.answers]
        known = Population.of(others)
        unlikeness |= {one.scan: known.unlikeness(one.features) for one in fold.answers}
    return [
        Row(
            ok=unlikeness[one.scan] <= 1,
            unlikeness=unlikeness[one.scan],
            true_ml=one.true_ml,
            found_ml=one.found_ml,
            dice=one.dice,
            interval_ml=(one.low_ml, one.high_ml),
        )
        for one in judged(folds, estimation)
        if kind in ("", one.kind)
    ]


def of_results(results: Path, truth: Path) -> list[Row]:
    """Every patient of a folder of results, all kinds of lesion joined."""
    rows = []
    for metrics in evaluate_folders(results, truth).rows:
        record = Record.model_validate(
            json.loads((results / metrics.case / "result.json").read_text("utf-8"))
        )
        if record.trust is None:
            raise UsageError(f"{results / metrics.case}: of a version without trust.")
        rows.append(
            Row(
                ok=record.trust.ok,
                unlikeness=record.trust.unlikeness or 0.0,
                true_ml=metrics.volume_true_ml,
                found_ml=metrics.volume_pred_ml,
                dice=metrics.dice,
                interval_ml=record.volume_interval_ml,
            )
        )
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """A row for all, those that are trusted and those that are not."""
    groups = {
        "all": list(rows),
        "trusted": [row for row in rows if row.ok],
        "not trusted": [row for row in rows if not row.ok],
    }
    return ruled(COLUMNS, [[name, *figures(own)] for name, own in groups.items()])


def figures(rows: Sequence[Row]) -> list[str]:
    with_lesion = [row.dice for row in rows if row.true_ml > 0]
    off = [row.off_ml for row in rows]
    held = [row.held for row in rows if row.held is not None]
    return [
        str(len(rows)),
        f"{np.mean(with_lesion):.3f}" if with_lesion else "-",
        f"{np.median(off):.1f}" if off else "-",
        f"{np.mean(np.array(off) >= LARGE_ML):.0%}" if off else "-",
        f"{np.mean(held):.0%}" if held else "-",
    ]


if __name__ == "__main__":
    typer.run(main)
