"""Unfinished draws on disk: read back to the bit, never mistaken for others, gone at the end."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from strokediff.inference.tally import Tally
from strokediff.segmentation.unfinished import DiskStore, forget

LIKE = torch.zeros(2, 1, 4, 4)


def some() -> Tally:
    tally = Tally.empty(LIKE)
    tally.add([0, 1, 1], torch.randn(3, 1, 4, 4), torch.ones(3, 1, 4, 4), 0.0)
    return tally


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    tally = some()
    DiskStore(tmp_path / "p", "key", every_s=0).keep("sal", tally)
    found = DiskStore(tmp_path / "p", "key").load("sal", LIKE)
    for ours, kept in zip(found.tensors(), tally.tensors(), strict=True):
        assert torch.equal(ours, kept)


def test_another_key_name_or_shape_finds_nothing(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, "key", every_s=0)
    store.keep("sal", some())
    assert not DiskStore(tmp_path, "other seed").load("sal", LIKE).counts.any()
    assert not store.load("infer", LIKE).counts.any()
    assert not store.load("sal", torch.zeros(3, 1, 4, 4)).counts.any()


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, "key", every_s=0)
    store.keep("sal", some())
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert not store.load("sal", LIKE).counts.any()


def test_writing_waits_its_time(tmp_path: Path) -> None:
    DiskStore(tmp_path, "key", every_s=3600).keep("sal", some())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error",
    [
        SafetensorError("Error while serializing: I/O error: No space left on device"),
        OSError(errno.ENOSPC, "No space left on device", "/secret"),
        OSError(errno.EIO, "Input/output error"),
        RuntimeError("no storage"),
        ValueError("what nobody thought of"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_draws_that_cannot_be_kept_cost_a_warning_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What was kept before stays; it is told once; half a file is not left."""
    warnings: list[str] = []
    DiskStore(tmp_path, "key", every_s=0).keep("sal", some())

    def fail(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    store = DiskStore(tmp_path, "key", every_s=0, warnings=warnings)
    for _ in range(3):
        store.keep("sal", some())
    (warning,) = warnings
    assert warning.startswith("unfinished draws could not be kept on disk (")
    assert "/secret" not in warning
    assert len(list(tmp_path.iterdir())) == 1
    assert store.load("sal", LIKE).counts.any()


@pytest.mark.parametrize(
    "content", [b"", b"x" * 100, b"\xff" * 8, b"\x08" + b"\0" * 7 + b"[1,2,3] "]
)
def test_any_file_in_the_draws_place_counts_as_none(tmp_path: Path, content: bytes) -> None:
    store = DiskStore(tmp_path, "key", every_s=0)
    store.keep("sal", some())
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert not store.load("sal", LIKE).counts.any()


@pytest.mark.parametrize("name", ["sal", "infer"])
def test_forget_removes_all_and_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "result.json").write_text("{}")
    DiskStore(tmp_path, "key", every_s=0).keep(name, some())
    forget(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
