"""A network beyond a bound is refused from its configuration alone."""

from __future__ import annotations

import resource

import pytest
import torch

from strokediff.core.schedule import sigmoid_schedule
from strokediff.errors import UsageError
from strokediff.networks import bounds
from strokediff.networks.bounds import features, outline
from strokediff.networks.config import NetworkConfig
from strokediff.networks.two_stream import TwoStreamUNet
from strokediff.training.config import TRAINING_PRESETS

SCHEDULE = sigmoid_schedule(50)


@pytest.mark.parametrize("name", TRAINING_PRESETS)
def test_the_presets_are_far_inside(name: str) -> None:
    preset = TRAINING_PRESETS[name]
    network = outline(preset.training.network, SCHEDULE, preset.size)
    assert sum(p.numel() for p in network.parameters()) < bounds.MAX_PARAMETERS / 3
    assert features(preset.training.network, preset.size) < bounds.MAX_FEATURES / 3


def test_the_outline_is_the_network_without_its_numbers() -> None:
    config = NetworkConfig(base=8, multipliers=(1, 2), mirror=True, linear_attention=True)
    state = torch.random.get_rng_state()
    empty = outline(config, SCHEDULE, 32).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    real = TwoStreamUNet(config, SCHEDULE, 32).state_dict()
    assert {k: (v.shape, v.dtype) for k, v in empty.items()} == {
        k: (v.shape, v.dtype) for k, v in real.items()
    }
    assert all(value.is_meta for value in empty.values())


@pytest.mark.parametrize(
    ("changes", "size", "said"),
    [
        ({"base": 1024}, 32, "parameters: expected at most 268,435,456"),
        ({"base": 4096}, 8, "parameters: expected at most"),
        ({"multipliers": (1, 1024)}, 32, "parameters: expected at most"),
        ({"multipliers": (1024,) * 3}, 32, "parameters: expected at most"),
        ({"noise_base": 4096, "multipliers": (4, 4)}, 8, "parameters: expected at most"),
        ({"multipliers": (1, 2)}, 8192, "features a slice: expected at most"),
        ({"base": 4096, "multipliers": (4, 1)}, 448, "features a slice: expected at most"),
        ({"multipliers": (1, 1)}, 448, "attention over 50,176 pixels"),
        ({"multipliers": (1, 2, 4)}, 90, "must be a multiple of 4"),
    ],
)
def test_what_is_too_large_is_refused_and_takes_no_memory(
    changes: dict[str, object], size: int, said: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UsageError, match=said):
        outline(NetworkConfig(**changes), SCHEDULE, size)  # type: ignore[arg-type]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17, "kB"


@pytest.mark.parametrize(
    "changes",
    [
        {"base": 10**9},
        {"noise_base": 10**9},
        {"multipliers": (1, 10**9)},
        {"multipliers": (1,) * 13},
        {"multipliers": ()},
        {"multipliers": (1,)},
        {"multipliers": (1,)},
        {"neighbours": 10**6},
        {"patch": 10**6},
        {"head_attention_size": 10**6},
        {"base": 6, "groups": 3},
    ],
)
def test_a_field_that_nothing_can_be_made_of_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        NetworkConfig(**changes)  # type: ignore[arg-type]
