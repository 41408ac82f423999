"""Law: whatever a file holds, its reader gives a sound value or one of the project's own errors.

The first cases of every format of `benchmarks/fuzz.py`, which runs tens of thousands.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("zarr")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CASES = 25


@pytest.fixture(scope="module", autouse=True)
def on_the_path():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize("name", ["dicom", "nifti", "checkpoint", "cohort", "record", "archive"])
def test_bent_files_are_read_or_refused(name, tmp_path):
    from fuzz import read_one
    from fuzz_formats import FORMATS

    made = FORMATS[name](tmp_path)
    found = [read_one(made, random.Random(f"{name} 0 {number}")) for number in range(CASES)]
    assert [one["why"] for one in found if one["outcome"] == "fault"] == []
    counts = Counter(one["outcome"] for one in found)
    assert counts["read"] and counts["refused"], "the cases are too sound, or too broken, to tell"


def test_another_error_counts_as_a_fault():
    from fuzz import read_one

    class Broken:
        def bend(self, rng):
            pass

        def read(self):
            raise KeyError("tag")

    found = read_one(Broken(), random.Random(0))
    assert found["outcome"] == "fault" and "KeyError" in found["why"]
