"""What is refused when a checkpoint is read, and that it comes back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError
from strokediff.training.checkpoint import (
    CheckpointConfig,
    read_checkpoint,
    read_config,
    read_split,
    write_checkpoint,
)
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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', "[" * 9999, '{"a": NaN}', "\xff"])
def test_a_broken_config_is_refused(saved: Path, text: str) -> None:
    (saved / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        read_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"dice": NaN}', '{"dice": 1e999}'])
def test_broken_metrics_are_refused(saved: Path, text: str) -> None:
    (saved / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json: corrupt"):
        read_checkpoint(saved)


@pytest.mark.parametrize("file", ["config.json", "metrics.json", "split.json"])
def test_a_description_nested_without_end_is_refused(saved: Path, file: str) -> None:
    (saved / file).write_text('{"format": 2, "a": ' + "[" * 10_000 + "]" * 10_000 + "}")
    with pytest.raises(InputError, match=rf"{file}: nested deeper than 100"):
        read_checkpoint(saved), read_split(saved)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("step",), -1),
        (("step",), "many"),
        (("name",), None),
        (("grid", "size"), [96]),
        (("grid",), 3),
        (("training", "network", "base"), 10**9),
        (("training", "network", "multipliers"), [1, 10**9]),
        (("training", "network", "multipliers"), {"a": 1}),
        (("training", "T"), 10**9),
        (("training", "noise", "D"), 10**9),
        (("training", "noise", "rank"), 10**9),
        (("training", "loss"), []),
        (("sha256",), 5),
        (("more",), 1),
    ],
)
def test_a_field_of_another_kind_or_beyond_its_bound_is_named(
    saved: Path, place: tuple[str, ...], value: object
) -> None:
    content = json.loads((saved / "config.json").read_text())
    at = content
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    (saved / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"config\.json: corrupt checkpoint, '{place[0]}"):
        read_checkpoint(saved)


@pytest.mark.parametrize(
    "split", ["[]", '{"train": "p"}', '{"train": [1]}', '{"train": {"p": 1}}', ""]
)
def test_a_split_of_another_kind_is_named(saved: Path, split: str) -> None:
    (saved / "split.json").write_text(split)
    with pytest.raises(InputError, match=r"split\.json"):
        read_split(saved)


def test_figures_that_are_no_numbers_are_not_written(saved: Path) -> None:
    described = read_config(saved)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_checkpoint(saved, described, {}, split={}, metrics={"dice": float("nan")})


def test_the_header_is_read_without_the_weights(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    assert read_config(saved).step == 5


def test_a_checkpoint_of_0_1_0_that_names_its_schedule_is_read(saved: Path) -> None:
    """There was one schedule; nothing names it any more, and another one is refused."""
    file = saved / "config.json"
    content = json.loads(file.read_text())
    assert "schedule" not in content
    file.write_text(json.dumps({**content, "schedule": "sigmoid"}))
    assert read_checkpoint(saved).config == CheckpointConfig(**content)
    file.write_text(json.dumps({**content, "schedule": "linear"}))
    with pytest.raises(InputError, match=r"config\.json: corrupt checkpoint, 'schedule'"):
        read_checkpoint(saved)
