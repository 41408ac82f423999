"""Laws: one holder a folder; the lock ends with the process that holds it; nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from strokediff.errors import UsageError
from strokediff.util import locks
from strokediff.util.files import sole

HOLDER = """
import os, sys, time
from pathlib import Path
from strokediff.util.files import sole
with sole(Path(sys.argv[1]), "train"):
    if sys.argv[2] == "forked" and os.fork() == 0:  # a worker, as PyTorch's loaders start them
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path, how: str = "alone") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), how],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("how", ["alone", "forked"])
def test_a_second_run_is_told_who_is_there_until_the_first_is_killed(
    tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "run"
    process = hold(folder, how)
    try:
        told = f"strokediff train, pid {process.pid}, host"
        with pytest.raises(UsageError, match=told), sole(folder, "segment"):
            pass
        process.kill()
        process.wait(30)
        with sole(folder, "segment"):
            pass
    finally:
        with suppress(ProcessLookupError):  # nobody is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("name", ["new", "new/deeper", "name with space", "张伟"])
def test_a_folder_is_left_as_it_was(tmp_path: Path, name: str) -> None:
    with sole(tmp_path / name, "segment"):
        assert [p.name for p in (tmp_path / name).iterdir()] == [locks.LOCK_NAME]
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("x")
    with sole(tmp_path / name, "segment"):
        pass
    assert [p.name for p in (tmp_path / name).iterdir()] == ["mine"]


def test_a_run_does_not_hold_a_folder_twice_by_whatever_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a").mkdir()
    with sole(tmp_path / "a", "segment"):
        for other in (Path("a"), tmp_path / "link", tmp_path / "b" / ".." / "a"):
            with pytest.raises(UsageError, match="already"), sole(other, "segment"):
                pass
        with sole(tmp_path / "b", "segment"):
            pass
    with sole(Path("a"), "segment"):
        pass


def test_waiting_at_a_file_that_goes_away_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before its holder removed it, locked afterwards: it guards nothing."""
    lock, calls = locks._lock, []

    def late(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            (tmp_path / locks.LOCK_NAME).unlink()
        lock(handle)

    monkeypatch.setattr(locks, "_lock", late)
    with sole(tmp_path, "segment"):
        assert len(calls) == 2 and (tmp_path / locks.LOCK_NAME).exists()


@pytest.mark.parametrize("errno_name", ["ENOLCK", "ENOSYS", "ENOTSUP"])
def test_a_file_system_without_locks_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errno_name: str
) -> None:
    def fail(handle: int) -> None:
        raise OSError(getattr(errno, errno_name), "no locks")

    monkeypatch.setattr(locks, "_lock", fail)
    with sole(tmp_path, "segment"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UsageError, match="out: cannot write there"), sole(tmp_path / "out", "x"):
        pass
