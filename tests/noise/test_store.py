"""A stored noise model is verified before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from strokediff.errors import InputError
from strokediff.noise.store import load_noise, save_noise
from strokediff.util.tensorfile import write_tensors


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


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 9999, '{"format": NaN}', '{"name": {}}'])
def test_a_broken_description_is_refused(saved: Path, text: str) -> None:
    (saved / "noise.json").write_text(text)
    with pytest.raises(InputError, match=r"noise\.json"):
        load_noise(saved)


def restored(folder: Path, settings: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Change a stored model so that its sha256 is right all the same."""
    file = folder / "noise.json"
    described = json.loads(file.read_text())
    kept = load_file(folder / "noise.safetensors")
    sha256 = write_tensors(folder / "noise.safetensors", {**kept, **tensors})
    changed = {"settings": {**described["settings"], **settings}, "sha256": sha256}
    file.write_text(json.dumps({**described, **changed}))


@pytest.mark.parametrize("name", ["fourier", "calibrated", "low-rank"])
@pytest.mark.parametrize(
    ("settings", "tensors"),
    [
        ({"D": 10**9}, {}),
        ({"rank": -1}, {}),
        ({"shrinkage": "much"}, {}),
        ({"margin": 1e9}, {}),
        ({"seed": [1]}, {}),
        ({"colour": "pink"}, {}),
        ({}, {"more": torch.zeros(1)}),
        ({}, {"support": torch.ones(3, dtype=torch.uint8)}),
        ({}, {"support": torch.ones(4, 4)}),
        ({}, {"L": torch.zeros(2, 3)}),
        ({}, {"basis": torch.zeros(1, 1)}),
        ({}, {"support": torch.full((4, 4), torch.nan)}),
    ],
)
def test_a_model_of_other_parts_is_refused_even_if_its_sum_is_right(
    models: dict[str, Any], tmp_path: Path, name: str,
    settings: dict[str, Any], tensors: dict[str, torch.Tensor],
) -> None:  # fmt: skip
    save_noise(tmp_path, models[name])
    restored(tmp_path, settings, tensors)
    with pytest.raises(InputError, match="corrupt noise model|hold NaN"):
        load_noise(tmp_path)


def test_frequencies_beyond_the_memory_are_not_made(models: dict[str, Any], tmp_path: Path) -> None:
    """A file of 4 MB that would ask for 4 TB: D of L and b are small, those of W are not kept."""
    save_noise(tmp_path, models["fourier"])
    D = len(models["fourier"].tensors()["b"])
    restored(tmp_path, {}, {"support": torch.ones(2**30 // D + 1, 1, dtype=torch.uint8)})
    with pytest.raises(InputError, match="frequencies, at most 1073741824"):
        load_noise(tmp_path)


@pytest.mark.parametrize("name", ["isotropic", "fourier", "calibrated", "low-rank"])
def test_every_model_that_was_fitted_has_the_parts_that_are_expected(
    models: dict[str, Any], tmp_path: Path, name: str
) -> None:
    save_noise(tmp_path, models[name])
    again = load_noise(tmp_path)
    assert again.settings() == models[name].settings()
    assert again.tensors().keys() == models[name].tensors().keys()
