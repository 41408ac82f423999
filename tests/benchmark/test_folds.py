"""Laws: every patient is tested once and by a training that has not seen it; rows join by seed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strokediff.benchmark.folds import Fold, joined
from strokediff.benchmark.results import rows_of_table
from strokediff.errors import UsageError

from .conftest import row

SPLIT = {"train": [f"t{i}" for i in range(7)], "val": [], "test": ["a", "b"]}


@given(of=st.integers(2, 6), trained=st.integers(5, 40), tested=st.integers(1, 20))
def test_every_patient_is_tested_once_and_never_trained_on_then(
    of: int, trained: int, tested: int
) -> None:
    own = {
        "train": [f"t{i}" for i in range(trained)],
        "val": [],
        "test": [f"s{i}" for i in range(tested)],
    }
    splits = [Fold(k, of).split(own) for k in range(of)]
    assert splits[0] == own
    assert sorted(n for s in splits for n in s["test"]) == sorted(own["train"] + own["test"])
    for split in splits:
        assert not set(split["train"]) & set(split["test"])
        assert sorted(split["train"] + split["test"]) == sorted(own["train"] + own["test"])
    sizes = [len(split["test"]) for split in splits[1:]]
    assert max(sizes) - min(sizes) <= 1


def test_the_order_of_the_names_makes_no_difference() -> None:
    turned = {**SPLIT, "train": SPLIT["train"][::-1]}
    assert Fold(1, 3).split(turned) == Fold(1, 3).split(SPLIT)


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(UsageError, match="fewer --folds"):
        Fold(1, 9).split(SPLIT)


def test_rows_join_where_every_fold_has_the_seed() -> None:
    first = {"a": [row("a", 0, (1, 2)), row("a", 1, (2, 2))], "b": [row("b", 0, (1, 1))]}
    second = {"a": [row("a", 1, (3, 4), (4, 4))]}
    found = joined([first, second])
    assert list(found) == ["a"]
    (only,) = found["a"]
    assert only.seed == 1
    assert [p.metrics.dice for p in only.patients] == pytest.approx([1.0, 6 / 7, 1.0])


def test_times_are_of_the_first_folds_machine() -> None:
    first, here, there = (row("a", 0, (1, 2)) for _ in range(3))
    here = replace(here, patients=[replace(p, seconds=3.0) for p in here.patients])
    gone = {**there.training, "machine": "a GPU"}
    there = replace(
        there, training=gone, patients=[replace(p, seconds=9.0) for p in there.patients]
    )
    scores = joined([{"a": [first]}, {"a": [here]}, {"a": [there]}])
    (only,) = rows_of_table(scores, {"a": "A"}, [])
    assert only.costs["seconds_a_head"] == 2.0  # of 1 and 3
    assert only.machines == ("a processor", "a GPU")
