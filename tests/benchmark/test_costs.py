"""Law: gmacs times evaluations is what predicting one slice costs."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from strokediff.baselines.registry import baseline
from strokediff.benchmark.costs import network_costs

SIDE = 32


@pytest.mark.parametrize("name", ["unet", "segdiff", "medsegdiff"])
def test_the_cost_of_a_slice_is_that_of_an_evaluation_times_their_number(name: str) -> None:
    method = baseline(name, "small")
    module = method.build(SIDE).eval()
    costs = network_costs(method, module, SIDE)
    x, m = torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)
    with FlopCounterMode(display=False) as counter:
        method.predict(module, x, m, [0])
    assert counter.get_total_flops() / 2e9 == pytest.approx(costs["gmacs"] * method.evaluations())
    assert costs["parameters"] == sum(p.numel() for p in module.parameters())
