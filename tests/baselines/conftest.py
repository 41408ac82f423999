"""Every baseline at the small scale, the diffusions on short chains, and a toy batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from strokediff.baselines.base import Baseline
from strokediff.baselines.label_diffusion import LabelDiffusion
from strokediff.baselines.registry import BASELINES

pytest.importorskip("monai")
pytest.importorskip("einops")
SIZE = 96


@pytest.fixture(params=list(BASELINES), scope="module")
def method(request: pytest.FixtureRequest) -> Baseline:
    small = BASELINES[request.param]["small"]
    if isinstance(small, LabelDiffusion):
        return replace(small, steps=3, samples=3, quick_steps=2)  # type: ignore[type-var]
    return small


@pytest.fixture(scope="module")
def module(method: Baseline) -> nn.Module:
    """Untrained, and moved away from where it starts, since some layers start at 0."""
    torch.manual_seed(0)
    network = method.build(SIZE)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    """Three slices with a bright square in a brain that is a larger square."""
    m = torch.zeros(3, 1, SIZE, SIZE)
    m[..., 10:86, 16:80] = 1
    y = torch.full_like(m, -1.0)
    for i in range(3):
        y[i, :, 30 + 5 * i : 50 + 5 * i, 30:50] = 1
    noise = torch.randn(m.shape, generator=torch.Generator().manual_seed(0))
    x = (0.2 * noise + 0.6 * (y > 0)) * m
    return {"x": x, "y": y, "m": m, "number": torch.arange(3)}
