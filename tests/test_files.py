"""Laws: a file is whole or not there; what cannot be written is named and leaves nothing behind."""

import stat

import pytest

from strokediff.errors import UsageError
from strokediff.files import write_atomically


def test_writes_text_and_bytes_and_makes_folders(tmp_path):
    write_atomically(tmp_path / "a" / "b.txt", "mL ± é")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "mL ± é"
    write_atomically(tmp_path / "a" / "b.txt", b"new")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"new"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_permissions_follow_the_umask_and_are_not_private(tmp_path):
    write_atomically(tmp_path / "ours", "")
    (tmp_path / "plain").write_text("")
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("ours", "plain")}
    assert len(modes) == 1


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "child").write_text("")
    with pytest.raises(UsageError, match="taken: cannot be written"):
        write_atomically(tmp_path / "taken", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
