"""Tensors come back as they were written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from strokediff.errors import InputError
from strokediff.tensorfile import read_tensors, write_tensors


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
    import hashlib

    (tmp_path / "t").write_bytes(b"pickle")
    with pytest.raises(InputError, match="not safetensors"):
        read(tmp_path / "t", hashlib.sha256(b"pickle").hexdigest())
