"""Laws: the answers come in order whoever gives them, and the first error is raised."""

from __future__ import annotations

from fractions import Fraction
from operator import neg

import pytest

from strokediff.data.processes import in_processes


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_come_in_order(jobs: int) -> None:
    assert list(in_processes(neg, range(20), jobs)) == [-i for i in range(20)]
    assert list(in_processes(neg, [], jobs)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_are_raised_where_they_happened(jobs: int) -> None:
    found = in_processes(Fraction, ["1/2", "three"], jobs)
    assert next(found) == Fraction(1, 2)
    with pytest.raises(ValueError, match="three"):
        next(found)
