"""Laws: what reports say of scores whose figures are known, and of those that are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strokediff.benchmark.reports.between_seeds import between_seeds
from strokediff.benchmark.reports.by_size import by_size
from strokediff.benchmark.reports.patients import patients_or_methods, shares
from strokediff.benchmark.reports.reading import read_scores
from strokediff.errors import InputError, UsageError

from ..conftest import row
from ..test_results import TRUE, made

DOCS = Path(__file__).parents[3] / "docs" / "benchmark"
RNG = np.random.default_rng(0)


def test_shares_of_the_sum_of_squares() -> None:
    patients, methods = RNG.random(9), RNG.random(4)
    rows = {str(k): patients + m for k, m in enumerate(methods)}
    found = shares(rows)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["rest"] == pytest.approx(0.0, abs=1e-12)
    of_each = 4 * 9 * np.var(patients), 9 * 4 * np.var(methods)
    assert found["patient"] / found["method"] == pytest.approx(of_each[0] / of_each[1])
    assert shares(dict.fromkeys(rows, patients))["patient"] == pytest.approx(1.0)


def test_the_published_difference_is_the_one_that_docs_quote() -> None:
    scores = read_scores([DOCS / "phe-sich" / "scores"], ["sdpm-sal", "sadpm-sal"])
    lines = patients_or_methods(scores, "dice", "sdpm-sal")
    assert "| sadpm-sal | 0.050 [0.017, 0.082] | 0.087 | 0.050 |" in lines


def test_the_published_thirds_are_those_that_docs_quote() -> None:
    scores = read_scores([DOCS / "phantom-infarct" / "scores"], ["unet", "sadpm-max"], [0])
    lines = by_size(scores)
    assert "| unet | 0.187 | 0.649 | 0.807 | 0 of 76 | 4 of 4 |" in lines
    assert "| sadpm-max | 0.165 | 0.648 | 0.785 | 4 of 76 | 2 of 4 |" in lines


def test_a_row_that_finds_nothing_is_left_out_by_name() -> None:
    nothing = row("nothing", 0, *((0, true) for true in TRUE))
    scores = {"a": [made("a", 0, 5)], "b": [made("b", 0, 30)], "nothing": [nothing]}
    lines = patients_or_methods(scores, "dice", "a")
    assert lines[0] == "Left out, alike in all patients: nothing"
    assert not any(line.startswith("| nothing") for line in lines)
    with pytest.raises(UsageError, match="no row 'unet'; expected one of: a, b"):
        patients_or_methods(scores, "dice", "unet")


def test_two_alike_trainings_never_differ() -> None:
    first = made("a", 0, 10)
    lines = between_seeds({"suite": {"a": [first, first], "b": [first]}})
    assert lines[-1] == "| all | 3 | 0 |"
    with pytest.raises(UsageError, match="no row with two seeds"):
        between_seeds({"suite": {"b": [first]}})


def test_scores_that_are_not_there_are_named(tmp_path: Path) -> None:
    made("a", 0, 10).write(tmp_path / "a" / "seed-0.json")
    assert [own.seed for own in read_scores([tmp_path])["a"]] == [0]
    for rows, seeds in ((["a", "b"], []), (["a"], [3])):
        with pytest.raises(UsageError, match=rf"no scores of {rows[-1]}\. Name other --rows"):
            read_scores([tmp_path], rows, seeds)
    with pytest.raises(InputError, match="two rows or more"):
        patients_or_methods(read_scores([tmp_path]), "dice", "a")
