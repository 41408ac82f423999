"""A stored noise model is verified before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strokediff.errors import InputError
from strokediff.noise.store import load_noise, save_noise


@pytest.fixture
def saved(models: dict[str, Any], tmp_path: Path) -> Path:
    save_noise(tmp_path / "noise", models["low-rank"])
    return tmp_path / "noise"


def test_W_is_not_stored(models: dict[str, Any], tmp_path: Path) -> None:
    save_noise(tmp_path, models["fourier"])
    W = models["fourier"].tensors()["W"]
    assert (tmp_path / "noise.safetensors").stat().st_size < W.nbytes


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_truncated_tensors_are_refused(saved: Path, cut: int) -> None:
    file = saved / "noise.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match="sha256 differs"):
        load_noise(saved)


def test_a_flipped_bit_is_found(saved: Path) -> None:
    file = saved / "noise.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="sha256 differs"):
        load_noise(saved)


def test_a_pickle_in_its_place_is_refused_unread(saved: Path) -> None:
    (saved / "noise.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(InputError, match="sha256 differs"):
        load_noise(saved)


@pytest.mark.parametrize("file", ["noise.json", "noise.safetensors"])
def test_a_missing_file_is_named(saved: Path, file: str) -> None:
    (saved / file).unlink()
    with pytest.raises(InputError, match=f"{file}: missing"):
        load_noise(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "format 1"),
        ({"name": "pink"}, "got name 'pink'"),
        ({"settings": 3}, "expected a name"),
        ({"sha256": None}, "expected a name"),
        ({"name": "fourier"}, "its tensors are not those of 'fourier'"),
    ],
)
def test_a_foreign_description_is_refused(
    saved: Path, change: dict[str, Any], message: str
) -> None:
    file = saved / "noise.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        load_noise(saved)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_broken_description_is_refused(saved: Path, text: str) -> None:
    (saved / "noise.json").write_text(text)
    with pytest.raises(InputError, match=r"noise\.json"):
        load_noise(saved)
