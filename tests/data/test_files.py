"""Law: a file or folder appears whole or not at all, whatever fails on the way."""

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest

from strokediff.data.files import atomic_directory, atomic_path, write_json, write_text
from strokediff.errors import UsageError

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
