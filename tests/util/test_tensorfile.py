"""Tensors come back as they were written, or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from strokediff.errors import InputError
from strokediff.util import tensorfile
from strokediff.util.tensorfile import read_tensors, write_tensors


def read(file: Path, sha256: str) -> dict[str, torch.Tensor]:
    return read_tensors(file, sha256, whole="model", named_in="model.json")


def test_round_trip_of_every_layout(tmp_path: Path) -> None:
    tensors = {
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "half": torch.ones(2, dtype=torch.float16),
        "bytes": torch.tensor([1, 2], dtype=torch.uint8),
    }
    found = read(tmp_path / "t", write_tensors(tmp_path / "t", tensors))
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_a_missing_or_changed_file_is_named(tmp_path: Path) -> None:
    sha256 = write_tensors(tmp_path / "t", {"a": torch.zeros(3)})
    with pytest.raises(InputError, match="other: missing from the model"):
        read(tmp_path / "other", sha256)
    (tmp_path / "t").write_bytes((tmp_path / "t").read_bytes() + b" ")
    with pytest.raises(InputError, match=r"t: corrupt model.*model\.json names"):
        read(tmp_path / "t", sha256)


def test_what_is_no_safetensors_is_refused_even_if_its_sum_is_right(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"pickle")
    with pytest.raises(InputError, match="not safetensors"):
        read(tmp_path / "t", hashlib.sha256(b"pickle").hexdigest())


def as_safetensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list[int], end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        (2**63 - 1).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        as_safetensors([1]),
        as_safetensors({"a": 1}),
        as_safetensors({"a": entry("F32", [2**40], 4)}, b"0000"),
        as_safetensors({"a": entry("F32", [2**62, 4], 4)}, b"0000"),
        as_safetensors({"a": entry("F32", [1], 2**60)}, b"0000"),
        as_safetensors({"a": entry("F32", [-1], 4)}, b"0000"),
        as_safetensors({"a": entry("X99", [1], 4)}, b"0000"),
        as_safetensors({"a": entry("F32", [1], 4)}, b"00000000"),
        (8 * 9999).to_bytes(8, "little") + b'{"a":   ' * 9999,
    ],
    ids=lambda content: str(content[:50]),
)
def test_hostile_headers_are_refused_though_their_sum_is_right(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(InputError, match="t: not safetensors"):
        read(tmp_path / "t", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, dtype: torch.dtype, value: float
) -> None:
    tensors = {"good": torch.ones(3), "bad": torch.tensor([1.0, value], dtype=dtype)}
    sha256 = write_tensors(tmp_path / "t", tensors)
    with pytest.raises(InputError, match=r"hold NaN or infinite values \(bad; 1 of 2"):
        read(tmp_path / "t", sha256)


def test_a_file_beyond_the_bound_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorfile, "MAX_TENSOR_BYTES", 2**20)
    with (tmp_path / "t").open("wb") as file:
        file.truncate(2**20 + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("read"))
    with pytest.raises(InputError, match="Expected a model of at most"):
        read(tmp_path / "t", "")


def test_what_the_system_refuses_is_its_own_error(tmp_path: Path) -> None:
    """Not one of safetensors, which nobody who writes a file expects."""
    with pytest.raises(FileNotFoundError):
        write_tensors(tmp_path / "none" / "t", {"a": torch.ones(1)})
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            write_tensors(Path("/dev/full"), {"a": torch.ones(2**16)})
