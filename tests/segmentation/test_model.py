"""A checkpoint becomes a model or is refused in a sentence, before it takes memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError
from strokediff.inference.compute import ON_CPU
from strokediff.networks.config import NetworkConfig
from strokediff.segmentation.model import load_model
from strokediff.training.build import build_network
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig

SIZE = 16
TRAINING = TrainingConfig(network=NetworkConfig(base=8, multipliers=(1, 2)), T=50)


def save(folder: Path, weights: dict[str, torch.Tensor], **metrics: Any) -> Path:
    folder.mkdir(exist_ok=True)
    grid = GridConfig(size=SIZE, spacing_mm=8.0)
    described = CheckpointConfig(
        name="m", method="sdpm", grid=grid, training=TRAINING, trained_on="nothing", step=1
    )
    write_checkpoint(folder, described, weights, split={}, metrics=metrics)
    return folder


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return dict(build_network(TRAINING, SIZE).state_dict())


def test_a_model_has_its_weights(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model = load_model(save(tmp_path / "m", weights), ON_CPU)
    assert all(torch.equal(v, weights[k]) for k, v in model.network.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {"encoder.stem.bias": None}, r"missing: encoder\.stem\.bias"),
        (lambda w: {"trojan": torch.ones(1)}, "of no place in it: trojan"),
        (lambda w: {"encoder.stem.bias": torch.ones(9)}, "expected 8, got 9"),
        (lambda w: {"encoder.stem.bias": torch.tensor(1.0)}, "expected 8, got one number"),
        (lambda w: {"encoder.stem.bias": torch.ones(8).int()}, "got torch.int32"),
        (lambda w: {"encoder.stem.bias": torch.ones(8, dtype=torch.bool)}, "got torch.bool"),
        (lambda w: {"encoder.stem.bias": torch.ones(8, dtype=torch.cfloat)}, "got torch.complex"),
        (lambda w: {"encoder.stem.bias": torch.full((8,), torch.nan)}, "hold NaN"),
        (lambda w: dict.fromkeys(w), "missing: .* and [0-9]+ more"),
    ],
)
def test_weights_that_are_not_the_networks_are_refused(
    weights: dict[str, torch.Tensor], tmp_path: Path, change: Any, said: str
) -> None:
    changed = {**weights, **change(weights)}
    folder = save(tmp_path / "m", {k: v for k, v in changed.items() if v is not None})
    with pytest.raises(InputError, match=said):
        load_model(folder, ON_CPU)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {"base": 1024, "multipliers": [1, 2, 4]}}, "expected at most 268,435,456"),
        ({"network": {"base": 512, "multipliers": [1, 2]}}, "the weights do not fit"),
        ({"network": {"multipliers": [1] * 9}}, "must be a multiple of 256"),
        ({"noise": {"name": "fourier"}}, r"noise\.json: missing"),
    ],
)
def test_a_configuration_that_asks_for_more_is_refused(
    weights: dict[str, torch.Tensor], tmp_path: Path, changes: dict[str, Any], said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By its bounds, or by weights that are not there; the network is not built for it."""
    folder = save(tmp_path / "m", weights)
    content = json.loads((folder / "config.json").read_text())
    for part, own in changes.items():
        content["training"][part].update(own)
    (folder / "config.json").write_text(json.dumps(content))
    if "network" in changes:
        monkeypatch.setattr(
            "strokediff.segmentation.model.build_network", lambda *_: pytest.fail("built")
        )
    with pytest.raises(InputError, match=said):
        load_model(folder, ON_CPU)


@pytest.mark.parametrize(
    "metrics",
    [
        {"decision": 3},
        {"decision": {"fast/sal": {"threshold": 7}}},
        {"decision": {"fast/sal": {"threshold": [0]}}},
        {"decision": {"fast/sal": {"least_lesion_ml": -1}}},
        {"decision": {"fast/sal": {"colour": 1}}},
        {"calibration": []},
        {"calibration": {"fast/sal": {"quantile": 1.0}}},
        {"calibration": {"fast/sal": {"quantile": 1e300, "level": 0.9, "n": 20}}},
        {"calibration": {"fast/sal": {"quantile": -1, "level": 0.9, "n": 20}}},
        {"calibration": {"fast/sal": {"quantile": 1, "level": 1.9, "n": 20}}},
        {"calibration": {"fast/sal": {"quantile": 1, "level": 0.9, "n": 0}}},
    ],
)
def test_what_was_chosen_is_named_where_it_makes_no_sense(
    weights: dict[str, torch.Tensor], tmp_path: Path, metrics: dict[str, Any]
) -> None:
    folder = save(tmp_path / "m", weights, **metrics)
    with pytest.raises(InputError, match=rf"metrics\.json: {next(iter(metrics))}"):
        load_model(folder, ON_CPU)
