"""Law: a file or folder appears whole or not at all, whatever fails on the way."""

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest

from strokediff.errors import UsageError
from strokediff.util import files
from strokediff.util.files import (
    atomic_directory,
    atomic_path,
    recover,
    write_json,
    write_text,
)

NOBODY = 65534


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_writes_and_leaves_nothing_else(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"é": [1, 2.5]})
    assert names(tmp_path / "new") == ["a.json"]
    assert json.loads((tmp_path / "new" / "a.json").read_text("utf-8")) == {"é": [1, 2.5]}


def test_temporary_keeps_the_suffixes_and_lies_in_the_same_folder(tmp_path):
    with atomic_path(tmp_path / "mask.nii.gz") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        assert temporary.name.startswith(".tmp-")
        temporary.write_bytes(b"x")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file(tmp_path, error):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert names(tmp_path) == ["a.txt"]
    assert target.read_text() == "old"


def test_nan_is_refused_in_json_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_the_folder_is_a_usage_error(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written") as caught:
        write_text(tmp_path / "out" / "a.txt", "x")
    assert caught.value.exit_code == 2


def test_a_folder_in_the_way_of_the_file_is_a_usage_error(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UsageError, match=r"a\.txt: cannot be written"):
        write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]


def test_a_read_only_folder_is_a_usage_error():
    """Root may write everywhere, so as root the test becomes nobody for the moment of writing."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(NOBODY)
        with pytest.raises(UsageError, match="cannot be written.*Permission denied"):
            write_text(folder / "a.txt", "x")
    finally:
        if root:
            os.seteuid(0)
        names_left = names(folder)
        folder.rmdir()
    assert names_left == []


def test_folder_is_replaced_whole(tmp_path):
    for text in ("one", "two"):
        with atomic_directory(tmp_path / "ckpt") as folder:
            (folder / f"{text}.txt").write_text(text)
            (folder / "sub").mkdir()
    assert names(tmp_path) == ["ckpt"]
    assert names(tmp_path / "ckpt") == ["sub", "two.txt"]


def test_the_folder_one_is_in_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for place in (".", "..", tmp_path):
        with pytest.raises(UsageError, match="folder you are in"), atomic_directory(place):
            pass
    assert names(tmp_path) == ["in"]


def test_a_failure_keeps_the_old_folder(tmp_path):
    with atomic_directory(tmp_path / "ckpt") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "ckpt") as folder:
        (folder / "a").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["ckpt"]
    assert (tmp_path / "ckpt" / "a").read_text() == "old"


def test_a_file_in_the_way_of_a_folder_is_a_usage_error(tmp_path):
    (tmp_path / "ckpt").write_text("x")
    with (
        pytest.raises(UsageError, match="a file of that name"),
        atomic_directory(tmp_path / "ckpt"),
    ):
        pass
    assert (tmp_path / "ckpt").read_text() == "x"


def test_a_full_disk_is_a_usage_error_and_leaves_nothing(tmp_path):
    with (
        pytest.raises(UsageError, match="cannot be written"),
        atomic_path(tmp_path / "a") as temporary,
    ):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_other_errors_of_the_body_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "gone").read_text()
    assert names(tmp_path) == []


def test_a_name_that_is_not_utf_8_is_written_and_read_back(tmp_path):
    for name in ("M\udcfcller", "\udcff\udcfe", "张\udce9"):
        write_json(tmp_path / "a.json", {"name": name})
        assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"name": name}


@pytest.mark.parametrize("name", ["张" * 85, "x" * 255, "é" * 124 + ".nii.gz", "M\udcfc" * 60])
def test_a_name_of_any_length_that_the_system_holds_is_written(tmp_path, name):
    write_text(tmp_path / name, "x")
    with atomic_directory(tmp_path / f"d{name[1:]}") as folder:
        (folder / "a").write_text("y")
    assert names(tmp_path) == sorted([name, f"d{name[1:]}"])


class Killed(BaseException):
    """A kill: nothing of what would be done on an error is done."""


@pytest.fixture(params=["exchange", "two renames"])
def killed_at(request, tmp_path, monkeypatch):
    """Replaces the folder `ckpt`, killed at the n-th change of a name; its texts afterwards.

    Both ways are tried, also where the system knows the first.
    """

    def replace(n):
        with atomic_directory(tmp_path / "ckpt") as folder:
            (folder / "a").write_text("old")
            (folder / "b").write_text("old")
        if request.param == "two renames":
            monkeypatch.setattr(files, "_exchange", lambda one, other: False)
        steps = iter(range(1000))

        def counted(call):
            def step(*arguments):
                if next(steps) >= n:
                    raise Killed
                return call(*arguments)

            return step

        with monkeypatch.context() as patch:
            for name in ("_exchange", "remove"):
                patch.setattr(files, name, counted(getattr(files, name)))
            for name in ("replace", "rename"):
                patch.setattr(Path, name, counted(getattr(Path, name)))
            try:
                with atomic_directory(tmp_path / "ckpt") as folder:
                    (folder / "a").write_text("new")
                    (folder / "c").write_text("new")
            except Killed:
                pass
        recover(tmp_path / "ckpt")
        assert not [name for name in names(tmp_path) if name.startswith(".tmp-old-")]
        return {p.name: p.read_text() for p in (tmp_path / "ckpt").iterdir()}

    return replace


@pytest.mark.parametrize("n", range(6))
def test_a_kill_between_two_renames_loses_no_folder(killed_at, n):
    """Old or new, never both, never none, and under its name."""
    found = killed_at(n)
    assert found in ({"a": "old", "b": "old"}, {"a": "new", "c": "new"})
    assert n < 5 or found == {"a": "new", "c": "new"}


def test_what_is_open_is_not_recovered_over(tmp_path):
    """Somebody made the folder anew before anybody looked: it stays, the old goes."""
    with atomic_directory(tmp_path / "a") as folder:
        (folder / "x").write_text("old")
    (tmp_path / "a").rename(files.aside_name(tmp_path / "a"))
    (tmp_path / "a").mkdir()
    recover(tmp_path / "a")
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == []
    recover(tmp_path / "never-there")
    assert names(tmp_path) == ["a"]
