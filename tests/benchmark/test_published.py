"""Law: the tables in docs/benchmark are those of the scores beside them, by today's code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strokediff.benchmark.arms import ARMS
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.folds import Fold, joined
from strokediff.benchmark.report import tabled
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.scores import RowScore
from strokediff.benchmark.suites import SUITES
from strokediff.benchmark.tables import markdown

DOCS = Path(__file__).parents[2] / "docs" / "benchmark"
PUBLISHED = sorted(folder.parent for folder in DOCS.glob("*/scores"))
ABOUT = dict.fromkeys(("suite", "budget", "train", "test", "cohort", "date", "version"), "")


def test_there_are_some() -> None:
    assert PUBLISHED


@pytest.mark.slow
@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_a_published_table_is_that_of_its_scores(folder: Path) -> None:
    suite, budget = SUITES[folder.name], BUDGETS["small"]
    first = Benchmark(suite, budget, folder)
    scores = first.scores()
    kept = {file.parent.name for file in folder.glob("scores/*/*.json")}
    assert set(scores) == kept
    assert sum(map(len, scores.values())) == len([*folder.glob("scores/*/*.json")])
    assert body(folder) == told(scores)
    for n in {int(fold.name.rpartition("-")[2]) for fold in folder.glob("fold-*-of-*")}:
        folds = [replace(first, fold=Fold(k, n)).scores() for k in range(n)]
        assert body(folder / f"folds-{n}") == told(joined(folds))


def body(folder: Path) -> str:
    """The table without its head line, which says when it was made."""
    return (folder / "benchmark.md").read_text().split("\n", 1)[1]


def told(scores: dict[str, list[RowScore]]) -> str:
    return markdown(tabled(scores, [*ARMS.values()]), ABOUT | {"seeds": []}).split("\n", 1)[1]
