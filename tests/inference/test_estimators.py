"""One law over all estimators: with an exact oracle they return y_0; and what each one spends."""

import dataclasses

import pytest
import torch

from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.inference.algorithm1 import (
    Algorithm1,
    FixedScale,
    UniformScale,
    variance_as_printed,
)
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.fusion import Fused, mean, union
from strokediff.inference.salient import Salient
from strokediff.noise.isotropic import IsotropicNoise

EXACT = [
    Direct(),
    Salient(T_i=20, repeats=2),
    Salient(T_i=20, repeats=1, stride=6),
    Algorithm1(T_i=20, repeats=2),
    Algorithm1(T_i=1, repeats=1),
    Algorithm1(T_i=20, repeats=2, transition_scale=variance_as_printed),
    Fused([Direct(), Salient(T_i=20, repeats=2), Algorithm1(T_i=20, repeats=2)]),
    Fused([Direct(), Algorithm1(T_i=20, repeats=2)], fusion=mean),
]


@pytest.mark.parametrize("estimator", EXACT, ids=lambda e: f"{e.name}-{e.evaluations()}")
def test_an_oracle_gives_back_the_label(
    estimator: Estimator, slices: Slices, y_0: torch.Tensor, oracle_context: Context
) -> None:
    estimate = estimator.estimate(slices, oracle_context)
    torch.testing.assert_close(estimate.y_0, y_0, atol=2e-4, rtol=0)
    areas = (y_0 > 0).flatten(1).sum(1)
    assert (estimate.areas == areas).all()


@pytest.mark.parametrize("estimator", EXACT, ids=lambda e: f"{e.name}-{e.evaluations()}")
def test_evaluations_are_counted_as_spent(
    estimator: Estimator, slices: Slices, oracle_context: Context
) -> None:
    spent: list[int] = []
    context = dataclasses.replace(oracle_context, advance=spent.append)
    estimate = estimator.estimate(slices, context)
    assert sum(spent) == estimate.evaluations == estimator.evaluations() * len(slices.x_0)


@pytest.mark.parametrize("estimator", EXACT, ids=lambda e: f"{e.name}-{e.evaluations()}")
def test_a_slice_does_not_depend_on_its_company(
    estimator: Estimator, process: SynchronousProcess, slices: Slices
) -> None:
    """The network here is a function of x_t alone, so only the noise could differ."""

    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x_t.tanh(), x_t.sin()

    context = Context(network, process, IsotropicNoise())
    together = estimator.estimate(slices, context).y_0
    for i, key in enumerate(slices.keys):
        alone = Slices(slices.x_0[i : i + 1], slices.m[i : i + 1], [key], slices.seed)
        assert torch.equal(estimator.estimate(alone, context).y_0[0], together[i])


def test_label_scale_below_one_adds_the_noise_that_the_closed_form_says(
    process: SynchronousProcess,
) -> None:
    """With an oracle and d < 1 the label misses (1 - d) of every transition.

    y_0_hat - y_0 = sum_t (d - 1) sqrt(var_t / abar[t-1]) eps_t over t = 2..T_i: mean 0.
    """
    d, T_i, n = 0.4, 20, 4000
    one = torch.ones(n, 1, 1, 1)
    slices = Slices(0.3 * one, one, list(range(n)), seed=1)
    context = Context(Oracle(process, slices.x_0, one), process, IsotropicNoise())
    error = Algorithm1(T_i, 1, FixedScale(d)).estimate(slices, context).y_0.flatten() - 1.0
    s, t = process.schedule, torch.arange(2, T_i + 1)
    variance = s.beta[t] * s.gamma[t - 1] / s.gamma[t]
    expected = ((1 - d) ** 2 * variance / s.alpha_bar[t - 1]).sum().sqrt()
    assert float(error.mean()) == pytest.approx(0.0, abs=5 * float(expected) / n**0.5)
    assert float(error.std()) == pytest.approx(float(expected), rel=5 / (2 * n) ** 0.5)


def test_uniform_label_scale_lies_in_the_open_interval_and_is_seeded() -> None:
    d = UniformScale().draw(list(range(500)))
    assert 0 < float(d.min()) < 0.05
    assert 0.95 < float(d.max()) < 1
    assert torch.equal(d, UniformScale().draw(list(range(500))))


def test_salient_weights() -> None:
    """psi_t ~ 1 - (t / T_i)^nu, normalised; the paper's grid is every t below T_i."""
    psi = Salient(T_i=4, repeats=1, nu=2.0).psi
    raw = torch.tensor([16.0, 15.0, 12.0, 7.0], dtype=torch.float64)
    torch.testing.assert_close(psi, raw / 50)


def test_salient_mean_of_a_linear_network_against_its_expectation(
    process: SynchronousProcess,
) -> None:
    """A network that answers y_t = x_t, eps = 0 gives E[y^sal] = x_0: noise averages out."""

    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros_like(x_t), x_t

    n = 300
    one = torch.ones(n, 1, 4, 4)
    slices = Slices(0.5 * one, one, list(range(n)), seed=3)
    estimate = Salient(T_i=20, repeats=2, stride=2).estimate(
        slices, Context(network, process, IsotropicNoise())
    )
    assert float(estimate.y_0.mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("bad", [{"T_i": 0}, {"repeats": 0}, {"nu": 1.0}, {"stride": 0}])
def test_salient_refuses_settings_outside_its_definition(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected T_i"):
        Salient(**{"T_i": 4, "repeats": 1, **bad})  # type: ignore[arg-type]


def test_union_holds_every_part_and_order_does_not_matter() -> None:
    g = torch.Generator().manual_seed(0)
    labels = torch.randn(3, 2, 1, 4, 4, generator=g)
    assert torch.equal(union(labels) > 0, (labels > 0).any(0))
    for fusion in (union, mean):
        torch.testing.assert_close(fusion(labels), fusion(labels.flip(0)))
