"""What a training configuration refuses, and that every preset is one."""

import pytest
from pydantic import ValidationError

from strokediff.networks.config import NetworkConfig
from strokediff.training.config import PRESETS, LossConfig, TrainingConfig


def test_a_label_without_bounds_is_not_read_linearly() -> None:
    with pytest.raises(ValidationError, match="'linear' needs a label in"):
        TrainingConfig(
            network=NetworkConfig(label_form="noisy"), loss=LossConfig(label_reading="linear")
        )


@pytest.mark.parametrize("name", PRESETS)
def test_the_grid_of_every_preset_fits_its_network(name: str) -> None:
    chosen = PRESETS[name]
    assert chosen.size % chosen.training.network.stride == 0
