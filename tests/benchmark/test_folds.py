"""Laws: every patient is tested once and by a training that has not seen it; rows join by seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strokediff.benchmark.folds import Fold, joined
from strokediff.benchmark.results import rows_of_table
from strokediff.benchmark.scores import RowScore
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError

from .conftest import row

SPLIT = {"train": [f"t{i}" for i in range(7)], "val": [], "test": ["a", "b"]}


def split_of(fold: Fold, split: dict[str, list[str]], scans_a_patient: int = 1) -> dict[str, Any]:
    """A fold's split of a cohort whose patients have so many scans, numbered in a row."""
    names = [name for part in split.values() for name in part]
    whose = {name: {"patient": patient_of(name, scans_a_patient)} for name in names}
    grid = GridConfig(size=8, spacing_mm=1.0)
    return fold.split(Cohort(Path(), grid, split, {}, whose))


def patient_of(name: str, scans_a_patient: int) -> str:
    return f"{name[0]}{int(name[1:]) // scans_a_patient}" if name[1:] else name


@given(of=st.integers(2, 6), trained=st.integers(5, 40), tested=st.integers(1, 20))
def test_every_patient_is_tested_once_and_never_trained_on_then(
    of: int, trained: int, tested: int
) -> None:
    own = {
        "train": [f"t{i}" for i in range(trained)],
        "val": [],
        "test": [f"s{i}" for i in range(tested)],
    }
    splits = [split_of(Fold(k, of), own) for k in range(of)]
    assert splits[0] == own
    assert sorted(n for s in splits for n in s["test"]) == sorted(own["train"] + own["test"])
    for split in splits:
        assert not set(split["train"]) & set(split["test"])
        assert sorted(split["train"] + split["test"]) == sorted(own["train"] + own["test"])
    sizes = [len(split["test"]) for split in splits[1:]]
    assert max(sizes) - min(sizes) <= 1


def test_the_order_of_the_names_makes_no_difference() -> None:
    turned = {**SPLIT, "train": SPLIT["train"][::-1]}
    assert split_of(Fold(1, 3), turned) == split_of(Fold(1, 3), SPLIT)


def test_all_scans_of_a_patient_are_in_one_part() -> None:
    own = {"train": [f"t{i}" for i in range(30)], "val": [], "test": [f"s{i}" for i in range(6)]}
    for k in range(1, 4):
        split = split_of(Fold(k, 4), own, scans_a_patient=3)
        parts = [{patient_of(name, 3) for name in split[part]} for part in ("train", "test")]
        assert not parts[0] & parts[1]
        assert len(split["test"]) in (9, 12)


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(UsageError, match="fewer --folds"):
        split_of(Fold(1, 9), SPLIT)


def test_rows_join_where_every_fold_has_the_seed() -> None:
    first = {"a": [row("a", 0, (1, 2)), row("a", 1, (2, 2))], "b": [row("b", 0, (1, 1))]}
    second = {"a": [row("a", 1, (3, 4), (4, 4))]}
    found = joined([first, second])
    assert list(found) == ["a"]
    (only,) = found["a"]
    assert only.seed == 1
    assert [p.metrics.dice for p in only.patients] == pytest.approx([1.0, 6 / 7, 1.0])


def of_patient(name: str) -> RowScore:
    own = row("a", 0, (1, 2))
    return replace(
        own, patients=[replace(p, metrics=replace(p.metrics, case=name)) for p in own.patients]
    )


def test_times_are_of_the_first_folds_machine() -> None:
    first, here, there = (of_patient(f"p{k}") for k in range(3))
    here = replace(here, patients=[replace(p, seconds=3.0) for p in here.patients])
    gone = {**there.training, "machine": "a GPU"}
    there = replace(
        there, training=gone, patients=[replace(p, seconds=9.0) for p in there.patients]
    )
    scores = joined([{"a": [first]}, {"a": [here]}, {"a": [there]}])
    (only,) = rows_of_table(scores, {"a": "A"}, [])
    assert only.costs["seconds_a_head"] == 2.0  # of 1 and 3
    assert only.machines == ("a processor", "a GPU")
