"""Laws: the answers come in order whoever gives them, and the first error is raised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from operator import neg
from pathlib import Path

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


SLOW = """
import signal, sys, time
from strokediff.data.processes import in_processes
if __name__ == "__main__":
    # What runs the tests in the background may have Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("started", flush=True)
    list(in_processes(time.sleep, [600] * 4, 2))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a group of processes")
@pytest.mark.parametrize("delay", [0.3, 3.0], ids=["loading", "working"])
def test_ctrl_c_ends_all_processes_at_once_and_one_of_them_tells(
    tmp_path: Path, delay: float
) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert told.count("Traceback") == 1 and told.rstrip().endswith("KeyboardInterrupt")
