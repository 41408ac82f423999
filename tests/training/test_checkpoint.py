"""What is refused when a checkpoint is read, and that it comes back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from strokediff.data.preprocess import GridConfig
from strokediff.errors import InputError
from strokediff.training.checkpoint import CheckpointConfig, read_checkpoint, write_checkpoint
from strokediff.training.config import TrainingConfig


@pytest.fixture
def saved(tmp_path: Path, config: TrainingConfig) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    described = CheckpointConfig(
        name="m", method="sdpm", grid=GridConfig(), training=config, trained_on="phantoms", step=5
    )
    weights = {"a": torch.arange(6.0).reshape(2, 3)}
    write_checkpoint(folder, described, weights, split={"train": ["p"]}, metrics={"dice": 0.5})
    return folder


def test_round_trip(saved: Path, config: TrainingConfig) -> None:
    checkpoint = read_checkpoint(saved)
    assert torch.equal(checkpoint.weights["a"], torch.arange(6.0).reshape(2, 3))
    assert checkpoint.config.training == config
    assert checkpoint.metrics == {"dice": 0.5}


@pytest.mark.parametrize("name", ["model.pt", "model.ckpt", "model.pkl"])
def test_a_pickle_is_refused_unread(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(InputError, match="pickled checkpoint, which could run code"):
        read_checkpoint(file)


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a checkpoint. Expected a folder with config.json"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_truncated_weights_are_refused(saved: Path, cut: int) -> None:
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match="corrupt checkpoint"):
        read_checkpoint(saved)


def test_a_flipped_bit_is_found(saved: Path) -> None:
    file = saved / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="sha256 differs"):
        read_checkpoint(saved)


def test_missing_weights_are_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(InputError, match="model.safetensors: missing from the checkpoint"):
        read_checkpoint(saved)


def test_another_format_names_the_version_that_wrote_it(saved: Path) -> None:
    file = saved / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 9, "strokediff": "7.0"}))
    with pytest.raises(InputError, match=r"format 9.*reads format 2.*7\.0"):
        read_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}'])
def test_a_broken_config_is_refused(saved: Path, text: str) -> None:
    (saved / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        read_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_broken_metrics_are_refused(saved: Path, text: str) -> None:
    (saved / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json: corrupt"):
        read_checkpoint(saved)
