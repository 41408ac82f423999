"""What a training configuration refuses, and that every preset is one."""

import pytest
from pydantic import ValidationError

from strokediff.core.objective import LossConfig
from strokediff.errors import UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.training.config import (
    TRAINING_PRESETS,
    TrainingConfig,
    changed,
    training_preset,
    with_settings,
)


def test_a_label_without_bounds_is_not_read_linearly() -> None:
    with pytest.raises(ValidationError, match="'linear' needs a label in"):
        TrainingConfig(
            network=NetworkConfig(label_form="noisy"), loss=LossConfig(label_reading="linear")
        )


@pytest.mark.parametrize("name", TRAINING_PRESETS)
def test_the_grid_of_every_preset_fits_its_network(name: str) -> None:
    chosen = TRAINING_PRESETS[name]
    assert chosen.size % chosen.training.network.stride == 0


def test_settings_reach_every_level() -> None:
    base = TRAINING_PRESETS["tiny"].training
    made = with_settings(
        base,
        ["network.mirror=true", "loss.dice=3", "time_sampler=uniform", "network.multipliers=[1,2]"],
    )
    assert made.network.mirror and made.loss.dice == 3.0 and made.time_sampler == "uniform"
    assert made.network.multipliers == (1, 2)
    assert with_settings(base, []) == base


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("network.mirrors=true", r"network\.FIELD is one of: base, .*mirror"),
        ("net.mirror=true", r"; FIELD is one of: T, accumulate, augment"),
        ("mirror", "expected FIELD=VALUE"),
        ("steps.more=1", r"; FIELD is one of: T, accumulate, augment"),
        ("network.mirror=perhaps", r"network\.mirror = 'perhaps': .*boolean"),
        ("network.label_form=noisy", "^configuration: .*'linear' needs a label in"),
        ("checkpoint_every=0", "checkpoint_every = 0: .*greater than or equal to 1"),
        ("lr=NaN", "lr = nan|lr = NaN"),
        ("T=1e9", "T = 1000000000.0: .*less than or equal to"),
        ("network.multipliers=[1]", "at least 2 items"),
        ("network.multipliers=[1,0]", "multipliers must be from 1 to 1024"),
        ("network.multipliers=[1,1e6]", "multipliers must be from 1 to 1024"),
        ("network.base=1e9", "network.base = .*less than or equal to 4096"),
        ("network.base=6", r"^network: .*base \(6\) must be a multiple"),
        ("noise.D=1e9", "noise.D = .*less than or equal to 65536"),
        ("loss.d1=NaN", "loss.d1 = "),
        ("loss.p=-1", "loss.p = -1: .*greater than or equal to 0"),
        ("clip_norm=Infinity", "clip_norm = .*finite"),
        ("lr=" + "[" * 5000, "lr = .*number"),
        ("network.base=12", r"^network: .*base \(12\) must be a multiple"),
    ],
)
def test_settings_that_do_not_exist_are_explained(setting: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_settings(TRAINING_PRESETS["tiny"].training, [setting])


@pytest.mark.parametrize(
    ("said", "meant"), [({"augment": True}, "plain"), ({"augment": False}, "none"), ({}, "plain")]
)
def test_a_configuration_of_before_means_what_it_meant(said: dict[str, bool], meant: str) -> None:
    content = {**training_preset("tiny").training.model_dump(), **said}
    content.pop("augmentation")
    assert TrainingConfig(**content).augmentation == meant


def test_a_batch_is_accumulated_in_parts_of_one_size() -> None:
    tiny = training_preset("tiny").training
    with pytest.raises(UsageError, match="batch_size 16 cannot be accumulated in 5 parts"):
        changed(tiny, accumulate=5)
    assert changed(tiny, accumulate=8).accumulate == 8
    paper = training_preset("paper").training
    assert (paper.batch_size, paper.accumulate, paper.gradient_checkpointing) == (8, 4, True)
