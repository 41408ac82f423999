"""Laws: what the dead left is cleared by the next; what the living write is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strokediff.util import leftovers
from strokediff.util.files import atomic_directory, write_text
from strokediff.util.leftovers import is_dead, sweep, temporary_name

LEAVES = """
import os, sys
from pathlib import Path
from strokediff.util.leftovers import temporary_name
file, folder = (temporary_name(Path(sys.argv[1]) / name) for name in ("a.nii.gz", "cohort"))
file.write_text("half")
(folder / "patients").mkdir(parents=True)
(folder / "patients" / "x").write_text("half")
"""
WEEK_S = 7 * leftovers.DAY_S


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_swept", set())


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def aged(path: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def test_the_next_that_writes_there_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVES, str(tmp_path)], check=True)
    assert len(names(tmp_path)) == 2
    write_text(tmp_path / "b.txt", "x")
    assert names(tmp_path) == ["b.txt"]


def test_a_folder_clears_as_a_file_does(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVES, str(tmp_path)], check=True)
    with atomic_directory(tmp_path / "cohort"):
        pass
    assert names(tmp_path) == ["cohort"]


def test_the_living_keep_theirs_however_old(tmp_path: Path) -> None:
    own = temporary_name(tmp_path / "a")
    own.write_text("mine")
    aged(own, WEEK_S)
    sweep(tmp_path)
    assert names(tmp_path) == [own.name]


def test_a_number_given_again_is_not_the_process_that_had_it(tmp_path: Path) -> None:
    own = temporary_name(tmp_path / "a").name
    pid, born, _ = own.removeprefix(".tmp-").split("-")[0].split(".")
    assert not is_dead(tmp_path / own)
    assert is_dead(tmp_path / own.replace(f".{born}.", f".{int(born) - 1}."))
    assert is_dead(tmp_path / own.replace(f"-{pid}.", "-4194999."))  # above the largest


@pytest.mark.parametrize(
    "name", [".tmp-12.34.deadbeef-0a1b2c3d-x.nii", ".tmp-0a1b2c3d-cohort", ".tmp-0a1b2c3d-a\nb"]
)
def test_of_another_machine_or_version_a_day_tells(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    inside = tmp_path / name / "slice"
    inside.write_text("x")
    aged(tmp_path / name, WEEK_S)
    assert not is_dead(tmp_path / name)  # something in it is new
    aged(inside, WEEK_S)
    aged(tmp_path / name, WEEK_S)
    sweep(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "name", [".tmp-mine", ".tmp", ".tmp-old-photos", "tmp-0a1b2c3d-x", ".tmpx"]
)
def test_what_somebody_else_calls_temporary_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    aged(tmp_path / name, WEEK_S)
    sweep(tmp_path)
    assert names(tmp_path) == [name]


def test_a_link_goes_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").write_text("x")
    own = temporary_name(tmp_path / "a").name
    link = tmp_path / own.replace(f"-{os.getpid()}.", "-4194999.")
    link.symlink_to(tmp_path / "kept", target_is_directory=True)
    sweep(tmp_path)
    assert names(tmp_path) == ["kept"] and names(tmp_path / "kept") == ["x"]
