"""Laws of draws from the label's posterior, with networks that know it exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import binomtest, kstest, norm
from torch import Tensor, nn

from strokediff.baselines.label_diffusion import sample_label, spaced_times
from strokediff.baselines.label_posterior import (
    LABEL,
    NOISE,
    PAIRS,
    FromLabel,
    LabelPosterior,
    LabelPosteriorNetwork,
)
from strokediff.core.process import SynchronousProcess

METHOD = PAIRS[0][0]
PLAIN = PAIRS[1][0]
SIDE = 16


def signal_and_noise(process: SynchronousProcess, t: Tensor, y_t: Tensor) -> tuple[Tensor, Tensor]:
    """sqrt(abar) and gamma at t."""
    at = t.cpu()
    return process.alpha_bar(at, y_t).sqrt(), process.gamma(at, y_t)


@dataclass(frozen=True)
class Independent:
    """Each pixel of each kind is lesion with the probability sigmoid(x), whatever the others are.

    The logit of y_0 = 1 given y_t and x is x + 2 sqrt(abar) y_t / gamma.
    """

    process: SynchronousProcess
    kinds: int = 1

    def guide(self, x: Tensor) -> Tensor:
        return x

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor, last: Tensor | None = None) -> Tensor:
        signal, noise = signal_and_noise(self.process, t, y_t)
        return guide + 2 * signal * y_t / noise


@dataclass(frozen=True)
class Whole:
    """The slice has one of several whole labels (n, K, H, W); their chances are q (n,).

    E[y_0 | y_t] is their mean by the weights q_i exp(-|y_t - sqrt(abar) Y_i|^2 / (2 gamma)).
    """

    process: SynchronousProcess
    labels: Tensor
    q: Tensor

    @property
    def kinds(self) -> int:
        return self.labels.shape[1]

    def guide(self, x: Tensor) -> Tensor:
        return x

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor, last: Tensor | None = None) -> Tensor:
        signal, noise = signal_and_noise(self.process, t, y_t)
        apart = (y_t[:, None] - signal[:, None] * self.labels).square().flatten(2).sum(2)
        weights = (self.q.log() - apart / (2 * noise.flatten(1))).softmax(1)
        mean = torch.einsum("sn,nkhw->skhw", weights, self.labels)
        return 2 * mean.clamp(-1 + 1e-6, 1 - 1e-6).atanh()


def two_lesions(kinds: int) -> Tensor:
    """Three whole labels: none, a small lesion, a large one (of the last kind)."""
    labels = torch.full((3, kinds, SIDE, SIDE), -1.0)
    labels[1, 0, 3:7, 3:7] = 1
    labels[2, -1, 5:13, 5:13] = 1
    return labels


@pytest.mark.parametrize("kinds", [1, 2])
def test_draws_of_independent_pixels_have_the_posterior_s_mean_and_variance(kinds: int) -> None:
    """2 p - 1 and 4 p (1 - p) in groups of one probability, to five standard errors and 0.01."""
    x = torch.tensor([-3.0, -1.0, 0.0, 2.0]).repeat_interleave(4)[:, None].expand(1, 1, SIDE, SIDE)
    oracle, x = Independent(METHOD.process, kinds), x.repeat(20, 1, 1, 1)
    drawn = METHOD.draw(oracle, x, torch.ones_like(x), [*range(20)], samples=2, steps=500)
    drawn = drawn.flatten(0, 1)
    assert drawn.shape == (40, kinds, SIDE, SIDE) and bool(
        (drawn.abs() > 0.9).float().mean() > 0.99
    )
    for k in range(kinds):
        for row, logit in enumerate([-3.0, -1.0, 0.0, 2.0]):
            p = float(torch.tensor(logit).sigmoid())
            own = drawn[:, k, 4 * row : 4 * row + 4]
            slack = 5 * (4 * p * (1 - p) / own.numel()) ** 0.5 + 0.01
            assert float(own.mean()) == pytest.approx(2 * p - 1, abs=slack)
            assert float(own.var()) == pytest.approx(4 * p * (1 - p), abs=2 * slack)


def test_the_chain_passes_through_the_marginals() -> None:
    """y_t is p N(sqrt(abar), gamma) + (1 - p) N(-sqrt(abar), gamma) at every time: Kolmogorov-
    Smirnov at five of 1,000 times, of 4,096 pixels."""
    p, side, seen = 0.3, 64, {}
    oracle = Independent(METHOD.process)
    x = torch.full((1, 1, side, side), float(torch.tensor(p).logit()))

    def clean(y_t: Tensor, t: Tensor) -> Tensor:
        seen[int(t[0])] = y_t
        return LABEL.clean(METHOD.process, oracle.denoise(y_t, x, t), y_t, t)

    times = spaced_times(1000, 1000)
    sample_label(METHOD.process, clean, torch.ones_like(x), [5], times, reverse=FromLabel())
    for t in (900, 500, 250, 100, 20):
        schedule = METHOD.process.schedule
        a, s = float(schedule.alpha_bar[t].sqrt()), float(schedule.gamma[t].sqrt())
        found = kstest(
            seen[t].flatten().double().numpy(),
            lambda v, a=a, s=s: p * norm.cdf((v - a) / s) + (1 - p) * norm.cdf((v + a) / s),
        )
        assert found.pvalue > 0.01


@pytest.mark.parametrize("kinds", [1, 2])
def test_a_draw_is_a_whole_label_with_its_own_chance(kinds: int) -> None:
    """And so volumes spread as the posterior's, which no product of pixels does."""
    labels, q = two_lesions(kinds), torch.tensor([0.5, 0.3, 0.2])
    oracle = Whole(METHOD.process, labels, q)
    x, m = torch.zeros(150, 1, SIDE, SIDE), torch.ones(150, 1, SIDE, SIDE)
    # The oracle's labels are not mirrored: draws of even number alone are on the slice itself.
    drawn = METHOD.draw(oracle, x, m, list(range(150)), samples=3, steps=100)[::2].flatten(0, 1)
    apart = (drawn[:, None] - labels).abs().flatten(2).amax(2)
    assert bool((apart.min(1).values < 0.05).all())
    counts = apart.argmin(1).bincount(minlength=3)
    for count, chance in zip(counts.tolist(), q.tolist(), strict=True):
        assert binomtest(count, 300, chance).pvalue > 0.01
    areas = (labels > 0).flatten(1).sum(1).double()
    spread = (q * areas.square()).sum() - (q * areas).sum() ** 2
    found = (drawn > 0).flatten(1).sum(1).double().var()
    assert float(found) == pytest.approx(float(spread), rel=0.15)
    p = torch.einsum("n,nkhw->khw", q, (labels + 1) / 2)
    assert float((p * (1 - p)).sum()) < 0.05 * float(spread)


def test_one_step_is_the_mean_and_few_steps_spread_too_little() -> None:
    """Of a pixel with p = 1/2: the variance rises with the steps, to the posterior's, 1."""
    oracle = Independent(METHOD.process)
    x, m = torch.zeros(1, 1, 48, 48), torch.ones(1, 1, 48, 48)
    variance = [
        float(METHOD.draw(oracle, x, m, [3], samples=1, steps=n).var()) for n in (1, 2, 5, 500)
    ]
    assert variance == sorted(variance)
    assert variance[0] < 0.01 and variance[1] < 0.9 and variance[-1] == pytest.approx(1, abs=0.02)
    sure = METHOD.draw(oracle, x + 1.5, m, [3], samples=1, steps=1)
    assert float(sure.mean()) == pytest.approx(float(torch.tensor(0.75).tanh()), abs=0.01)


def test_the_loss_is_least_at_the_posterior_s_mean() -> None:
    """Of log(1 + exp(-y l)) over y = 1 with chance p: the derivative is 0 at l = logit p."""
    p = torch.tensor([0.02, 0.3, 0.9], dtype=torch.float64)
    logit = torch.logit(p).requires_grad_()
    one = torch.ones_like(p)
    expected = p * LABEL.error(logit, one, one) + (1 - p) * LABEL.error(logit, -one, one)
    (gradient,) = torch.autograd.grad(expected.sum(), logit)
    torch.testing.assert_close(gradient, torch.zeros_like(p), atol=1e-12, rtol=0)
    found = LABEL.clean(METHOD.process, logit, logit, torch.ones(3, dtype=torch.long))
    torch.testing.assert_close(found, 2 * p - 1)


def test_what_is_predicted_does_not_matter_to_an_exact_network() -> None:
    """y_0_hat and the noise that goes with it give the same draws."""

    class Noises(Independent):
        def denoise(
            self, y_t: Tensor, guide: Tensor, t: Tensor, last: Tensor | None = None
        ) -> Tensor:
            y_0 = torch.tanh(super().denoise(y_t, guide, t) / 2)
            signal, noise = signal_and_noise(self.process, t, y_t)
            return (y_t - signal * y_0) / noise.sqrt()

    other = replace(METHOD, predicts=NOISE)
    x = torch.randn(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    m = torch.ones_like(x)
    found = [
        method.draw(oracle(method.process), x, m, [1, 2], samples=2, steps=20)
        for method, oracle in ((METHOD, Independent), (other, Noises))
    ]
    torch.testing.assert_close(*found, atol=2e-3, rtol=0)


def networks() -> tuple[LabelPosteriorNetwork, LabelPosteriorNetwork]:
    """One that recycles and a plain one, with the same weights otherwise."""
    torch.manual_seed(0)
    recycling, plain = METHOD.build(SIDE), PLAIN.build(SIDE)
    assert isinstance(recycling, LabelPosteriorNetwork) and isinstance(plain, LabelPosteriorNetwork)
    shared = {k: v for k, v in recycling.state_dict().items() if not k.startswith("last_stem")}
    plain.load_state_dict(shared)
    return recycling.eval(), plain.eval()


def batch(n: int = 6) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(1)
    m = torch.ones(n, 1, SIDE, SIDE)
    m[..., :2] = 0
    y = torch.where(torch.rand(m.shape, generator=g) < 0.2, 1.0, -1.0)
    return {
        "x": 0.3 * y + torch.randn(m.shape, generator=g),
        "y": y,
        "m": m,
        "number": torch.arange(n),
    }


def test_without_weights_for_it_recycling_is_the_plain_method() -> None:
    recycling, plain = networks()
    assert recycling.last_stem is not None and plain.last_stem is None
    nn.init.zeros_(recycling.last_stem.weight)
    b = batch()
    losses = [m.losses(net, b)["loss"] for m, net in ((METHOD, recycling), (PLAIN, plain))]
    torch.testing.assert_close(*losses)
    drawn = [
        m.draw(net, b["x"], b["m"], [*range(6)], samples=2, steps=4)
        for m, net in ((METHOD, recycling), (PLAIN, plain))
    ]
    torch.testing.assert_close(*drawn)


def test_a_chain_shows_the_network_its_last_estimate_and_each_chain_begins_anew() -> None:
    seen: list[Tensor | None] = []
    given: list[Tensor] = []

    class Watched(Independent):
        def denoise(
            self, y_t: Tensor, guide: Tensor, t: Tensor, last: Tensor | None = None
        ) -> Tensor:
            seen.append(last)
            given.append(super().denoise(y_t, guide, t))
            return given[-1]

    b = batch(1)
    METHOD.draw(Watched(METHOD.process), b["x"], b["m"], [3], samples=2, steps=3)
    assert [one is None for one in seen] == [True, False, False] * 2
    for k in (1, 2, 4, 5):
        m = b["m"] if k < 3 else b["m"].flip(-1)
        last = seen[k]
        assert last is not None
        torch.testing.assert_close(last, torch.tanh(given[k - 1] / 2) * m)


def test_training_shows_about_half_of_the_samples_their_own_first_estimate() -> None:
    """Which ones depends on seed and number; the first estimate has no gradient of its own."""
    recycling, _ = networks()
    b, seen = batch(), []

    def watched(y_t: Tensor, x: Tensor, t: Tensor, last: Tensor | None = None) -> Tensor:
        seen.append((len(y_t), last, torch.is_grad_enabled()))
        found: Tensor = recycling(y_t, x, t, last)
        return found

    loss = METHOD.losses(watched, b)["loss"]  # type: ignore[arg-type]
    (first, none, followed), (whole, last, _) = seen
    assert none is None and last is not None and not followed and whole == 6 and 0 < first < 6
    shown = last.flatten(1).any(1)
    assert int(shown.sum()) == first
    assert not last[(b["m"] == 0)].any() and not last.requires_grad
    drawn = METHOD.noised(b)
    output = recycling(drawn.y_t, b["x"] * b["m"], drawn.t)
    expected = (torch.tanh(output / 2) * b["m"])[shown]
    torch.testing.assert_close(last[shown], expected, atol=1e-5, rtol=0)
    every = recycling(drawn.y_t, b["x"] * b["m"], drawn.t, last)
    by_hand = (F.softplus(-b["y"] * every) * b["m"]).sum() / b["m"].sum()
    torch.testing.assert_close(loss, by_hand)
    many = METHOD._recycled(torch.arange(400))
    assert 160 < len(many) < 240 and torch.equal(many, METHOD._recycled(torch.arange(400)))
    assert not torch.equal(many, METHOD.seeded(1)._recycled(torch.arange(400)))


def test_the_variants_differ_in_what_their_names_say() -> None:
    full = [own for _, own in PAIRS]
    assert [own.name for own in full] == [
        "label-posterior",
        "label-posterior-plain",
        "label-posterior-eps",
    ]
    assert [own.recycled for own in full] == [0.5, 0.0, 0.5]
    assert [own.predicts for own in full] == [LABEL, LABEL, NOISE]
    assert isinstance(full[0], LabelPosterior) and full[0].evaluations() == 16 * 50
