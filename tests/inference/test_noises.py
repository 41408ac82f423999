"""The samplers' laws under every noise model: an exact oracle gives back y_0."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from strokediff.core.process import SynchronousProcess
from strokediff.inference.algorithm1 import Algorithm1, own, white
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.fusion import Fused
from strokediff.inference.matched import Matched
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient, Stratified
from strokediff.noise.base import NoiseModel
from strokediff.noise.registry import NOISE_MODELS

from .conftest import oracle_of

SETTINGS: dict[str, dict[str, Any]] = {
    "isotropic": {},
    "fourier": {"D": 96},
    "fourier-standardised": {"D": 96},
    "calibrated": {"D": 32, "rank": 12},
    "low-rank": {"rank": 12, "shrinkage": 0.1},
    "scanner": {},
    "scanner-low-rank": {"rank": 12, "share": 0.3},
}
ESTIMATORS: list[Estimator] = [
    Repeated(Direct()),
    Repeated(Matched()),
    Repeated(Salient(T_i=20, stride=3)),
    Repeated(Stratified(T_i=20, points=4), 2),
    Repeated(Algorithm1(T_i=20, transition=white)),
    Repeated(Algorithm1(T_i=20, transition=own)),
    Fused(
        [
            Repeated(Direct()),
            Repeated(Salient(T_i=20)),
            Repeated(Algorithm1(T_i=20, transition=own)),
        ]
    ),
]
IDS = ["avg", "matched", "sal", "stratified", "infer-isotropic", "infer-own", "all"]


@pytest.fixture(scope="module", params=NOISE_MODELS)
def noise(request: pytest.FixtureRequest) -> NoiseModel:
    g = torch.Generator().manual_seed(2)
    x = F.avg_pool2d(torch.randn(60, 1, 8, 8, generator=g), 3, 1, 1)[:, 0].clamp(-1, 1)
    m = torch.ones(60, 8, 8)
    return NOISE_MODELS[request.param].fit(lambda: [(x, m)], **SETTINGS[request.param])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_an_oracle_gives_back_the_label(
    estimator: Estimator,
    noise: NoiseModel,
    process: SynchronousProcess,
    slices: Slices,
    y_0: torch.Tensor,
) -> None:
    estimate = estimator.estimate(slices, oracle_of(slices, y_0, process, noise))
    torch.testing.assert_close(estimate.y_0 * slices.m, y_0, atol=2e-4, rtol=0)
    areas = (y_0 > 0).flatten(2).sum(2).double()
    torch.testing.assert_close(estimate.tally.area, areas, rtol=0, atol=0)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_a_slice_does_not_depend_on_its_company(
    estimator: Estimator, noise: NoiseModel, process: SynchronousProcess, slices: Slices
) -> None:
    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x_t.tanh(), x_t.sin()

    context = Context(network, process, noise)
    together = estimator.estimate(slices, context).y_0
    for i, key in enumerate(slices.keys):
        alone = Slices(slices.x_0[i : i + 1], slices.m[i : i + 1], [key], slices.seed)
        assert torch.equal(estimator.estimate(alone, context).y_0[0], together[i])


def test_own_transition_noise_differs_from_white_unless_it_is_white(
    noise: NoiseModel, process: SynchronousProcess, slices: Slices
) -> None:
    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x_t.tanh(), x_t.sin()

    context = Context(network, process, noise)
    found = [Algorithm1(T_i=5, transition=kind).draw(slices, context) for kind in (white, own)]
    assert torch.equal(*found) == (noise.name == "isotropic")
