"""Law: gmacs times evaluations is what predicting one slice costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from strokediff.baselines.label_diffusion import LabelDiffusion
from strokediff.baselines.registry import baseline
from strokediff.benchmark.costs import network_costs

SIDE = 32


@pytest.mark.parametrize(
    "name",
    [
        *("unet", "segdiff", "medsegdiff", "label-posterior"),
        *("segdiff-released", "medsegdiff-released"),
    ],
)
def test_the_cost_of_a_slice_is_that_of_an_evaluation_times_their_number(name: str) -> None:
    method = baseline(name, "small")
    if isinstance(method, LabelDiffusion):
        method = replace(method, steps=3, samples=3)  # type: ignore[type-var]
    module = method.build(SIDE).eval()
    costs = network_costs(method, module, SIDE)
    x, m = torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        method.predict(module, x, m, [0])
    assert counter.get_total_flops() / 2e9 == pytest.approx(costs["gmacs"] * method.evaluations())
    assert costs["parameters"] == sum(p.numel() for p in module.parameters())


class _Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


def test_attention_counts_on_every_device() -> None:
    """n tokens of width c: n^2 c products with the keys and as many with the values."""
    task = baseline("unet", "small")
    module = nn.Sequential(nn.Conv2d(1, 8, 1), _Attention())
    plain = nn.Sequential(nn.Conv2d(1, 8, 1))
    apart = [network_costs(task, own, SIDE)["gmacs"] for own in (module, plain)]
    assert (apart[0] - apart[1]) * 1e9 == pytest.approx(2 * (SIDE * SIDE) ** 2 * 8)
