"""Laws of several kinds of lesion, for every baseline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from strokediff.baselines.base import Baseline
from strokediff.baselines.label_diffusion import LabelDiffusion, sample_label, spaced_times
from strokediff.baselines.one_pass import dice_ce
from strokediff.baselines.registry import BASELINES
from strokediff.benchmark.costs import network_costs
from strokediff.core.process import SynchronousProcess

KINDS, SIZE = 3, 64


@pytest.fixture(params=list(BASELINES), scope="module")
def small(request: pytest.FixtureRequest) -> Baseline:
    method = BASELINES[request.param]["small"]
    if isinstance(method, LabelDiffusion):
        return replace(method, steps=3, samples=2, quick_steps=2)  # type: ignore[type-var]
    return method


@pytest.fixture(scope="module")
def several() -> dict[str, Any]:
    """Two slices of a brain with a lesion of each kind, brighter by kind."""
    g = torch.Generator().manual_seed(0)
    m = torch.zeros(2, 1, SIZE, SIZE)
    m[..., 2:60, 3:58] = 1
    y = torch.full((2, KINDS, SIZE, SIZE), -1.0)
    for kind in range(KINDS):
        y[:, kind, 6 + 16 * kind : 18 + 16 * kind, 12:28] = 1
    bright = ((y > 0) * torch.tensor([0.3, 0.6, 0.9]).reshape(1, -1, 1, 1)).sum(1, keepdim=True)
    x = (0.1 * torch.randn(m.shape, generator=g) + bright) * m
    return {"x": x, "y": y, "m": m, "number": torch.arange(2)}


def test_a_method_learns_and_predicts_a_channel_a_kind(
    small: Baseline, several: dict[str, Any]
) -> None:
    x, m, y = several["x"], several["m"], several["y"]
    torch.manual_seed(0)
    network = small.build(SIZE, KINDS).train()
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=2e-3), []
    for _ in range(10):
        loss = small.losses(network, several)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.97 * losses[0]
    network.eval()
    with torch.inference_mode():
        found = [small.predict(network, x, m, [1, 2]), small.label(network, x, m)]
    for y_0 in found:
        assert y_0.shape == y.shape and bool((y_0.abs() <= 1).all())
        assert bool((y_0[(m == 0).expand_as(y_0)] == -1).all())
        assert not torch.equal(y_0[:, 0], y_0[:, 1])
    assert network_costs(small, network, SIZE)["gmacs"] > 0


def test_the_loss_of_kinds_is_the_mean_of_their_losses(several: dict[str, Any]) -> None:
    """None competes with the others: where kinds overlap, both are right."""
    y, m = several["y"], several["m"]
    logits = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    alone = [dice_ce(logits[:, k : k + 1], y[:, k : k + 1], m) for k in range(KINDS)]
    torch.testing.assert_close(dice_ce(logits, y, m), torch.stack(alone).mean())
    everywhere = torch.ones_like(y)
    assert float(dice_ce(20 * everywhere, everywhere, m)) < 1e-4


def test_a_label_diffusion_that_knows_all_kinds_draws_them_all(several: dict[str, Any]) -> None:
    y, m = several["y"], several["m"]
    method = BASELINES["segdiff"]["small"]
    assert isinstance(method, LabelDiffusion)
    process: SynchronousProcess = method.process

    def knows(y_t: Tensor, t: Tensor) -> Tensor:
        signal = process.alpha_bar(t, y_t).sqrt() * y
        return (y_t - signal) / process.gamma(t, y_t).sqrt()

    found = sample_label(process, knows, m, [3, 4], spaced_times(method.T, 5), KINDS)
    torch.testing.assert_close(found, y * m - (1 - m), atol=1e-4, rtol=0)
