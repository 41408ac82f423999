"""What a benchmark leaves of all that is done: benchmark.md, .csv, results.json, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from strokediff.benchmark import figures
from strokediff.benchmark.arms import Arm
from strokediff.benchmark.folds import joined
from strokediff.benchmark.results import TableRow, rows_of_table
from strokediff.benchmark.runner import Benchmark, rows_of
from strokediff.benchmark.scores import RowScores
from strokediff.benchmark.tables import markdown, to_csv
from strokediff.cohort.store import Cohort
from strokediff.ct.axes import transposed
from strokediff.ct.nifti.masks import read_labels
from strokediff.errors import InputError, UsageError
from strokediff.util.files import write_bytes, write_json, write_text
from strokediff.version import __version__


def write_benchmark(
    folds: Sequence[Benchmark], cohort: Cohort, warn: Callable[[str], None] = lambda line: None
) -> Path | None:
    """Write the report of every row and seed that all `folds` have; where it lies, None if none.

    It is of all that lies in their folder, whichever call made it. A picture that cannot be written
    is told to `warn`: it can be made again, and the tables stand without it.
    """
    first, several = folds[0], len(folds) > 1
    found = [fold.scores() for fold in folds]
    for fold, own in zip(folds, found, strict=True):
        _check_tested(own, fold.fold.split(cohort)["test"])
    scores = joined(found)
    if not scores:
        return None
    kinds = {
        kind: joined([fold.scores(kind) for fold in folds])
        for kind in next(iter(scores.values()))[0].kinds
    }
    out = first.out / f"folds-{len(folds)}" / first.part if several else first.scored
    about = _about(first, replace(cohort, split=first.fold.split(cohort)), scores)
    about |= {"folds": len(folds)} if several else {}
    about |= {"grids": "the scans' own"} if first.own_grids else {}
    pictures = Pictures(out, warn)
    _written(out, scores, kinds, first.known, about, pictures)
    if not several and not first.own_grids:
        cases, titles = _cases(first, cohort, scores), titles_of(first.known)
        predicted = {row: titles[row] for row in scores if any(row in c.found for c in cases)}
        if predicted:
            pictures.save(figures.panel(cases, predicted), "cases.png")
    return out


def _check_tested(scores: RowScores, names: Sequence[str]) -> None:
    """The patients scored must be those that the fold tests: others may have been trained on."""
    for own in (own for found in scores.values() for own in found):
        tested = [p.metrics.case for p in own.patients]
        if sorted(tested) != sorted(names):
            raise InputError(
                f"scores of {own.row}, seed {own.seed}: of other patients than the {len(names)} to "
                "test. Remove them; the next run makes them again."
            )


@dataclass(frozen=True)
class Pictures:
    """Pictures in a folder, none of them worth the report."""

    folder: Path
    warn: Callable[[str], None]

    def save(self, figure: Figure, name: str) -> None:
        """Write one, or say why not."""
        try:
            write_bytes(self.folder / name, figures.png(figure))
        except (OSError, UsageError) as error:
            self.warn(f"{self.folder / name}: no picture ({error})")


def _written(
    out: Path,
    scores: RowScores,
    kinds: Mapping[str, RowScores],
    arms: Sequence[Arm],
    about: Mapping[str, Any],
    pictures: Pictures,
) -> None:
    """Write tables and figures of the scores into `out`, joined and of each of `kinds`."""
    rows, titles = tabled(scores, arms), titles_of(arms)
    by_kind = {kind: tabled(own, arms) for kind, own in kinds.items()}
    write_text(out / "benchmark.md", markdown(rows, about, by_kind))
    write_text(out / "benchmark.csv", to_csv(rows, by_kind))
    content = {**about, "rows": [row.to_dict() for row in rows]}
    if by_kind:
        content["kinds"] = {k: [row.to_dict() for row in own] for k, own in by_kind.items()}
    write_json(out / "results.json", content)
    for kind, own in {"": scores, **kinds}.items():
        shown, ending = {row: titles[row] for row in own}, f"-{kind}.png" if kind else ".png"
        pictures.save(figures.boxes(own, shown), f"dice{ending}")
        pictures.save(figures.volumes(own, shown), f"volumes{ending}")


def tabled(scores: RowScores, arms: Sequence[Arm]) -> list[TableRow]:
    """The rows of a table, tested against the best of those arms that are not ours."""
    peers = [row for arm in arms if not arm.ours for row in rows_of(arm)]
    return rows_of_table(scores, titles_of(arms), peers)


def titles_of(arms: Sequence[Arm]) -> dict[str, str]:
    """TableRow -> its title."""
    return {row: arm.rows[method] for arm in arms for row, method in rows_of(arm).items()}


def _about(benchmark: Benchmark, cohort: Cohort, scores: RowScores) -> dict[str, Any]:
    return {
        "suite": benchmark.suite.name,
        "budget": benchmark.budget.name,
        "train": len(cohort.by_patient(cohort.split["train"])),
        "test": len({p.patient for p in next(iter(scores.values()))[0].patients}),
        "seeds": sorted({own.seed for found in scores.values() for own in found}),
        "cohort": str(cohort.origin.get("description") or "unnamed cohort"),
        "date": str(date.today()),
        "version": __version__,
    }


def _cases(benchmark: Benchmark, cohort: Cohort, scores: RowScores) -> list[figures.Example]:
    """The cases that show the easiest, middle and hardest patient, by the rows predicted here."""
    out = []
    for label, index in figures.best_median_worst(scores).items():
        name = next(iter(scores.values()))[0].patients[index].metrics.case
        patient = cohort.read(name)
        k = int((patient.y > 0).sum(axis=(1, 2)).argmax())
        found, dice = {}, {}
        for arm in benchmark.known:
            for row, method in rows_of(arm).items():
                if row not in scores:
                    continue
                first = scores[row][0]
                folder = benchmark.predictions(arm, first.seed) / method / "masks"
                file = folder / f"{name}.nii.gz"
                if file.is_file():  # scores that were published come without masks
                    found[row] = transposed(read_labels(file).array)[k] > 0
                    dice[row] = first.patients[index].metrics.dice
        image = (patient.x[k] * patient.m[k]).astype(np.float32)
        image = np.where(patient.m[k] > 0, image, -1.0)
        out.append(figures.Example(f"{label}\n{name}", image, patient.y[k] > 0, found, dice))
    return out
