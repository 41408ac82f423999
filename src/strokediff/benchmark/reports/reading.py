"""Which scores a report is of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from strokediff.benchmark.folds import joined
from strokediff.benchmark.results import check_patients
from strokediff.benchmark.scores import RowScore, RowScores
from strokediff.errors import UsageError


def read_scores(
    folders: Sequence[Path], rows: Sequence[str] = (), seeds: Sequence[int] = (), kind: str = ""
) -> RowScores:
    """The rows of every folder (all if none are named) at those seeds, patients put together.

    Of lesions of that `kind`, or of all joined. A folder is the `scores` of `strokediff benchmark`,
    or published ones; of several, as of folds, rows count that all of them have. Raises
    `UsageError` where a row has no scores.
    """
    folds = []
    for folder in folders:
        names = rows or sorted(own.name for own in folder.glob("*") if own.is_dir())
        found = {name: _seeds(folder / name / kind, seeds) for name in names}
        missing = [name for name, own in found.items() if not own]
        if missing or not names:
            raise UsageError(f"{folder}: no scores of {', '.join(missing)}. Name other --rows.")
        folds.append(found)
    scores = joined(folds)
    check_patients(scores)
    return scores


def names_in(text: str) -> list[str]:
    """What is listed with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _seeds(folder: Path, seeds: Sequence[int]) -> list[RowScore]:
    wanted = [f"seed-{seed}.json" for seed in seeds] or ["seed-*.json"]
    return [RowScore.read(file) for name in wanted for file in sorted(folder.glob(name))]
