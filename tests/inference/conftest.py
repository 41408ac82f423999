"""Slices with a known label, and the exact oracle as the network."""

from __future__ import annotations

import pytest
import torch

from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.inference.estimator import Context, Slices
from strokediff.noise.base import NoiseModel
from strokediff.noise.isotropic import IsotropicNoise

SIDE = 8


def oracle_of(
    slices: Slices, y_0: torch.Tensor, process: SynchronousProcess, noise: NoiseModel
) -> Context:
    """The oracle knows the slices in their order, so every pack is one draw of all of them."""
    oracle, pack = Oracle(process, slices.x_0, y_0), len(slices.keys)
    return Context(oracle, process, noise, pack=pack, kinds=y_0.shape[1])


@pytest.fixture
def process() -> SynchronousProcess:
    return SynchronousProcess(sigmoid_schedule(T=40))


@pytest.fixture
def slices() -> Slices:
    g = torch.Generator().manual_seed(5)
    m = torch.ones(3, 1, SIDE, SIDE)
    m[:, :, 0] = 0
    x_0 = (torch.rand(3, 1, SIDE, SIDE, generator=g) * 2 - 1) * m
    return Slices(x_0=x_0, m=m, keys=[4, 5, 9], seed=11, pixel_ml=torch.full((3,), 0.02))


@pytest.fixture(params=[1, 3], ids=["one kind", "three kinds"])
def y_0(request: pytest.FixtureRequest, slices: Slices) -> torch.Tensor:
    g = torch.Generator().manual_seed(6)
    shape = (len(slices.keys), request.param, SIDE, SIDE)
    label = torch.where(torch.rand(shape, generator=g) < 0.3, 1.0, -1.0)
    return label * slices.m


@pytest.fixture
def oracle_context(process: SynchronousProcess, slices: Slices, y_0: torch.Tensor) -> Context:
    return oracle_of(slices, y_0, process, IsotropicNoise())
