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

from strokediff.errors import UsageError
from strokediff.util.processes import in_processes


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


def killed(how: str) -> None:
    """What the system does when memory runs out, or a service that watches it."""
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGSEGV"])
def test_a_process_that_is_killed_is_told_with_a_remedy(how: str) -> None:
    with pytest.raises(UsageError, match="one of 2 processes was killed.*memory.*-j 1"):
        list(in_processes(killed, [how] * 3, 2))


SLOW = """
import signal, sys, time
from pathlib import Path
from strokediff.util.files import atomic_path
from strokediff.util.processes import in_processes
if len(sys.argv) > 1:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))

def write(number):
    with atomic_path(Path(__file__).parent / f"{number}.txt") as half:
        half.write_text("half")
        time.sleep(600)

if __name__ == "__main__":
    # What runs the tests in the background may have Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("started", flush=True)
    list(in_processes(write, range(4), 2))
"""


def slow(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A run that has begun to start its processes."""
    script = folder / "slow.py"
    script.write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def wait_until(folder: Path, when: str) -> None:
    """Loading: the processes import what they need. Working: both write."""
    until = time.monotonic() + (0.3 if when == "loading" else 60)
    while time.monotonic() < until and len(list(folder.glob(".tmp-*"))) < 2:
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no groups of processes")
@pytest.mark.parametrize(
    ("how", "when"),
    [
        ("SIGKILL", "working"),
        ("SIGTERM handled", "working"),
        pytest.param("SIGKILL", "loading", marks=pytest.mark.slow),
        pytest.param("SIGTERM handled", "loading", marks=pytest.mark.slow),
        pytest.param("SIGTERM", "working", marks=pytest.mark.slow),
        pytest.param("SIGHUP", "working", marks=pytest.mark.slow),
    ],
)
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, how: str, when: str) -> None:
    name, *handled = how.split()
    process = slow(tmp_path, *handled)
    wait_until(tmp_path, when)
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=60)  # also the pipes, which the others hold too
    assert process.returncode == (143 if handled else -getattr(signal, name))
    until = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
    if handled:
        assert [p.name for p in tmp_path.iterdir()] == ["slow.py"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a group of processes")
@pytest.mark.parametrize("when", ["loading", "working"])
def test_ctrl_c_ends_all_processes_at_once_and_one_of_them_tells(tmp_path: Path, when: str) -> None:
    process = slow(tmp_path)
    wait_until(tmp_path, when)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert told.count("Traceback") == 1 and told.rstrip().endswith("KeyboardInterrupt")
    assert [p.name for p in tmp_path.iterdir()] == ["slow.py"]
