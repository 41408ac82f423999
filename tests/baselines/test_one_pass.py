"""The loss of the networks that segment in one pass, and deep supervision."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet

from strokediff.baselines import dyn_unet, unet, unet_plus_plus
from strokediff.baselines.one_pass import dice_ce
from strokediff.errors import UsageError


def test_the_loss_is_monais_inside_the_brain(batch: dict[str, Any]) -> None:
    y, m = batch["y"], batch["m"]
    logits = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    inside = logits * m - 20.0 * (1 - m)
    expected = DiceCELoss(sigmoid=True, batch=True)(inside, (y > 0).float() * m)
    assert torch.equal(dice_ce(logits, y, m), expected)


def test_a_right_answer_costs_nothing_and_the_outside_does_not_count(batch: dict[str, Any]) -> None:
    y, m = batch["y"], batch["m"]
    right = 20.0 * y
    assert float(dice_ce(right, y, m)) < 1e-4
    assert torch.equal(dice_ce(right + 100 * (1 - m), y, m), dice_ce(right, y, m))


def test_the_unet_is_monais_so_that_older_checkpoints_load() -> None:
    expected = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1, features=unet.FEATURES)
    found = unet.SMALL.build(96)
    found.load_state_dict(expected.state_dict())
    assert sum(p.numel() for p in found.parameters()) == 1_354_873


@pytest.mark.parametrize(("size", "n"), [(64, 5), (96, 5), (192, 6), (224, 6), (448, 7), (1024, 7)])
def test_nnu_nets_stages(size: int, n: int) -> None:
    assert dyn_unet.stages(size) == n


@pytest.mark.parametrize("size", [12, 97, 100])
def test_a_grid_that_cannot_be_halved_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"{size} pixels cannot be"):
        dyn_unet.stages(size)


def test_deep_supervision_weighs_halves_and_sums_to_one() -> None:
    weights = dyn_unet.SMALL.weights(4)
    assert sum(weights) == pytest.approx(1.0)
    assert [b / a for a, b in pairwise(weights)] == [0.5, 0.5, 0.5]
    assert unet_plus_plus.SMALL.weights(4) == [0.25] * 4


def test_nnu_net_supervises_all_but_the_two_coarsest_stages() -> None:
    x = torch.zeros(1, 1, 96, 96)
    module = dyn_unet.SMALL.build(96)
    assert len(dyn_unet.SMALL.outputs(module.train(), x)) == 3
    assert len(dyn_unet.SMALL.outputs(module.eval(), x)) == 1


def test_unet_plus_plus_averages_its_nodes_probabilities() -> None:
    logits = [torch.full((1, 1, 2, 2), value) for value in (-1.0, 0.0, 1.0, 50.0)]
    expected = torch.stack(logits).sigmoid().mean(0)
    torch.testing.assert_close(unet_plus_plus.SMALL.probability(logits), expected)
