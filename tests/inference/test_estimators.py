"""One law over all estimators: with an exact oracle they return y_0; and what each one spends."""

import dataclasses
from typing import Any

import pytest
import torch

from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.inference.algorithm1 import (
    Algorithm1,
    FixedScale,
    TransitionScale,
    UniformScale,
    own,
    standard_deviation,
    variance_as_printed,
)
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Estimator, Sampler, Slices
from strokediff.inference.fusion import Fused, Staple, majority, mean
from strokediff.inference.repeated import Repeated, Tolerance
from strokediff.inference.salient import Salient, Stratified
from strokediff.noise.isotropic import IsotropicNoise

EXACT = [
    Repeated(Direct()),
    Repeated(Salient(T_i=20), 2),
    Repeated(Salient(T_i=20, stride=6)),
    Repeated(Stratified(T_i=20, points=5), 2),
    Repeated(Stratified(T_i=20, points=4, antithetic=False)),
    Repeated(Algorithm1(T_i=20), 2),
    Repeated(Algorithm1(T_i=1)),
    Repeated(Algorithm1(T_i=20, stride=6)),
    Repeated(Algorithm1(T_i=20, transition_scale=variance_as_printed), 2),
    Repeated(Stratified(T_i=20, points=2), 40, tolerance=Tolerance(ml=1.0)),
    Fused([Repeated(Direct()), Repeated(Salient(T_i=20), 2), Repeated(Algorithm1(T_i=20), 2)]),
    Fused([Repeated(Direct()), Repeated(Algorithm1(T_i=20), 2)], fusion=mean),
    Fused([Repeated(Direct()), Repeated(Salient(T_i=20)), Repeated(Algorithm1(T_i=20))], majority),
    Fused([Repeated(Direct()), Repeated(Salient(T_i=20)), Repeated(Algorithm1(T_i=20))], Staple()),
]


def label_of(estimator: Estimator) -> str:
    return f"{estimator.name}-{estimator.evaluations()}"


@pytest.mark.parametrize("estimator", EXACT, ids=label_of)
def test_an_oracle_gives_back_the_label(
    estimator: Estimator, slices: Slices, y_0: torch.Tensor, oracle_context: Context
) -> None:
    estimate = estimator.estimate(slices, oracle_context)
    torch.testing.assert_close(estimate.y_0 * slices.m, y_0, atol=2e-4, rtol=0)
    areas = (y_0 > 0).flatten(2).sum(2).double()
    torch.testing.assert_close(estimate.tally.area, areas, rtol=0, atol=0)
    assert float(estimate.tally.variance.max()) < 1e-6


@pytest.mark.parametrize("estimator", EXACT, ids=label_of)
def test_evaluations_are_counted_as_spent(
    estimator: Estimator, slices: Slices, oracle_context: Context
) -> None:
    spent: list[int] = []
    context = dataclasses.replace(oracle_context, advance=spent.append)
    estimate = estimator.estimate(slices, context)
    assert sum(spent) == estimate.evaluations
    most = estimator.evaluations() * len(slices.x_0)
    stops_early = getattr(estimator, "tolerance", None) is not None
    assert estimate.evaluations < most if stops_early else estimate.evaluations == most


def by_slice(estimator: Estimator) -> bool:
    """A tolerance is for the whole head's volume, and STAPLE rates the parts on the whole head."""
    of_head = getattr(estimator, "tolerance", None) or isinstance(
        getattr(estimator, "fusion", None), Staple
    )
    return not of_head


@pytest.mark.parametrize("estimator", filter(by_slice, EXACT), ids=label_of)
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


@pytest.mark.parametrize("scale", [standard_deviation, variance_as_printed])
def test_label_scale_below_one_adds_the_noise_that_the_closed_form_says(
    process: SynchronousProcess, scale: TransitionScale
) -> None:
    """With an oracle and d < 1 the label misses (1 - d) of every transition.

    y_0_hat - y_0 = sum_t (d - 1) scale(var_t) eps_t / sqrt(abar[t-1]) over t = 2..T_i: mean 0. By
    the printed variance in place of its root that is less, as var_t < 1.
    """
    d, T_i, n = 0.4, 20, 4000
    one = torch.ones(n, 1, 1, 1)
    slices = Slices(0.3 * one, one, list(range(n)), seed=1)
    context = Context(Oracle(process, slices.x_0, one), process, IsotropicNoise())
    chain = Algorithm1(T_i, label_scale=FixedScale(d), transition_scale=scale)
    error = chain.draw(slices, context).flatten() - 1.0
    s, t = process.schedule, torch.arange(2, T_i + 1)
    variance = s.beta[t] * s.gamma[t - 1] / s.gamma[t]
    expected = ((1 - d) ** 2 * scale(variance) ** 2 / s.alpha_bar[t - 1]).sum().sqrt()
    assert float(error.mean()) == pytest.approx(0.0, abs=5 * float(expected) / n**0.5)
    assert float(error.std()) == pytest.approx(float(expected), rel=5 / (2 * n) ** 0.5)


def test_uniform_label_scale_lies_in_the_open_interval_and_is_seeded() -> None:
    d = UniformScale().draw(list(range(500)))
    assert 0 < float(d.min()) < 0.05
    assert 0.95 < float(d.max()) < 1
    assert torch.equal(d, UniformScale().draw(list(range(500))))


def test_salient_weights() -> None:
    """psi_t ~ 1 - (t / T_i)^nu, normalised; the paper's grid is every t below T_i."""
    psi = Salient(T_i=4, nu=2.0).psi
    raw = torch.tensor([16.0, 15.0, 12.0, 7.0], dtype=torch.float64)
    torch.testing.assert_close(psi, raw / 50)


@pytest.mark.parametrize("sampler", [Salient(T_i=20, stride=2), Stratified(T_i=20, points=10)])
def test_salient_mean_of_a_linear_network_against_its_expectation(
    sampler: Sampler, process: SynchronousProcess
) -> None:
    """A network that answers y_t = x_t, eps = 0 gives E[y^sal] = x_0: noise averages out."""

    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros_like(x_t), x_t

    n = 300
    one = torch.ones(n, 1, 4, 4)
    slices = Slices(0.5 * one, one, list(range(n)), seed=3)
    estimate = Repeated(sampler, 2).estimate(slices, Context(network, process, IsotropicNoise()))
    assert float(estimate.y_0.mean()) == pytest.approx(0.5, abs=0.01)


def curved(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Not linear in the noise, and another function at every t."""
    y_0 = torch.tanh(3 * x_t + 0.2 * (t - 8)[:, None, None, None])
    return torch.zeros_like(x_t), y_0


@pytest.mark.parametrize("points", [1, 2, 3, 8])
@pytest.mark.parametrize("antithetic", [True, False])
def test_stratified_draws_have_the_mean_of_the_papers_sum(
    points: int, antithetic: bool, process: SynchronousProcess
) -> None:
    """Unbiased for any number of points: its mean over draws is that of the sum over every t."""
    n, one = 3000, torch.ones(3000, 1, 1, 1)
    slices = Slices(0.2 * one, one, list(range(n)), seed=8)
    context = Context(curved, process, IsotropicNoise())
    exact = Salient(T_i=20).draw(slices, context).flatten().double()
    ours = Stratified(20, points, antithetic=antithetic).draw(slices, context).flatten().double()
    error = ((exact.var() + ours.var()) / n).sqrt()
    assert abs(float(ours.mean() - exact.mean())) < 4 * float(error)


def test_strata_and_pairs_each_lower_the_variance(process: SynchronousProcess) -> None:
    n, one = 2000, torch.ones(2000, 1, 1, 1)
    slices = Slices(0.2 * one, one, list(range(n)), seed=8)
    context = Context(curved, process, IsotropicNoise())
    single = float(Stratified(20, 1).draw(slices, context).var())
    strata = float(Stratified(20, 8, antithetic=False).draw(slices, context).var())
    both = float(Stratified(20, 8).draw(slices, context).var())
    assert both < strata < 0.8 * single / 8


def test_pairs_only_where_the_noise_is_symmetric(
    process: SynchronousProcess, slices: Slices
) -> None:
    """Noise that is not symmetric about 0 is drawn anew for every evaluation, never reflected."""

    class Lopsided(IsotropicNoise):
        symmetric = False

        def draw(self, *args: Any, **more: Any) -> torch.Tensor:
            return super().draw(*args, **more).abs()

    seen: list[float] = []

    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(float((x_t * (t > 0)[:, None, None, None]).min()))
        return torch.zeros_like(x_t), x_t

    clean = dataclasses.replace(slices, x_0=torch.zeros_like(slices.x_0))
    Stratified(20, 6).draw(clean, Context(network, process, Lopsided()))
    assert min(seen) >= 0


def test_a_strided_chain_of_stride_one_is_algorithm_1(process: SynchronousProcess) -> None:
    assert Algorithm1(T_i=5).visited == [5, 4, 3, 2, 1]
    assert Algorithm1(T_i=20, stride=6).visited == [20, 14, 8, 2, 1]
    assert Algorithm1(T_i=21, stride=5).visited == [21, 16, 11, 6, 1]


def test_strided_transitions_keep_the_marginal_of_the_forward_process(
    process: SynchronousProcess,
) -> None:
    """With an oracle, x at every visited time has the mean and variance of equation (11)."""
    n, one = 4000, torch.ones(4000, 1, 1, 1)
    slices = Slices(0.3 * one, one, list(range(n)), seed=2)
    oracle = Oracle(process, slices.x_0, one)
    seen: dict[int, torch.Tensor] = {}

    def network(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen[int(t[0])] = x_t.flatten().double()
        return oracle(x_t, t)

    Algorithm1(T_i=30, stride=7).draw(slices, Context(network, process, IsotropicNoise()))
    assert sorted(seen) == [1, 2, 9, 16, 23, 30]
    for t, x_t in seen.items():
        bar = float(process.schedule.alpha_bar[t])
        sd = (1 - bar) ** 0.5
        assert float(x_t.mean()) == pytest.approx(0.3 * bar**0.5, abs=4 * sd / n**0.5)
        assert float(x_t.std()) == pytest.approx(sd, rel=4 / (2 * n) ** 0.5)


@pytest.mark.parametrize("bad", [{"T_i": 0}, {"nu": 1.0}, {"stride": 0}])
def test_salient_refuses_settings_outside_its_definition(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected T_i"):
        Salient(**{"T_i": 4, **bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", EXACT, ids=label_of)
def test_neighbours_reach_the_network_clean_and_in_their_rows(
    estimator: Estimator, slices: Slices, process: SynchronousProcess
) -> None:
    """Each slice's neighbours hold its own number; only the first channel is ever noised."""
    n, (_, height, width) = len(slices.keys), slices.shape
    beside = torch.arange(1.0, n + 1)[:, None, None, None].expand(n, 2, height, width)
    slices = dataclasses.replace(slices, x_0=torch.zeros_like(slices.x_0), beside=beside)

    def network(seen: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert seen.shape[1] == 3
        assert torch.equal(seen[:, 1], seen[:, 2])
        label = seen[:, 1:2] / n * 2 - 1  # -1/3, 1/3 and 1 for the three slices
        return Oracle(process, torch.zeros_like(label), label)(seen[:, :1], t)

    found = estimator.estimate(slices, Context(network, process, IsotropicNoise())).y_0
    inside = slices.m[0, 0] > 0
    assert [bool((y[0][inside] > 0).all()) for y in found] == [False, True, True]
    assert [bool((y[0][inside] > 0).any()) for y in found] == [False, True, True]


def test_noise_is_asked_for_on_the_device_of_the_context(slices: Slices, process: Any) -> None:
    class Recorded(IsotropicNoise):
        def draw(self, seeds: Any, shape: Any, device: Any = None) -> torch.Tensor:
            asked.append(device)
            return super().draw(seeds, shape)

    asked: list[Any] = []
    there = torch.device("meta")
    context = Context(lambda x, t: (x, x), process, Recorded(), device=there)
    Repeated(Salient(T_i=20)).estimate(slices, context)
    Repeated(Algorithm1(T_i=20, transition=own)).estimate(slices, context)
    assert asked and set(asked) == {there}
