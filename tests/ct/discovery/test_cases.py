"""Laws: cases of one run have names of their own, each recognisable."""

from __future__ import annotations

from pathlib import Path

from strokediff.ct.discovery.cases import Case, numbered
from strokediff.util.names import same_name


def test_repeated_names_get_numbers_whatever_their_case_and_composition() -> None:
    names = ["A", "a", "é", "e\u0301", "STRASSE", "straße", "a_2"]
    out = [c.name for c in numbered([Case(n, "nifti", Path(n)) for n in names], {"summary"})]
    assert len({same_name(n) for n in out}) == len(names)
    assert out[:3] == ["A", "a_2", "é"] and out[-1] == "a_2_2"
