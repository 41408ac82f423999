"""The loss in closed form: each term, each edge of its window, each weight, each part of it.

The predictions are off by constants, eps_hat = eps + A and y_t_hat = y_t + B, so that with
r = B - sqrt(gamma_t) A every term is known: L_d1 = r^2 and L_d2 = gamma_t A^2 (P2 with k = g = 1),
L_p = B^2, L_d0 = r^2 / abar_t (Gaussian), and Dice is that of y_0 + r / sqrt(abar_t).
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from strokediff.core.losses import P2
from strokediff.core.objective import LossConfig, Objective
from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule

T, A, B = 10, 0.3, 0.7
PROCESS = SynchronousProcess(sigmoid_schedule(T))
WINDOWS = {
    "d1": range(2, T + 1),
    "d2": range(2, T + 1),
    "p": range(6),  # label_window 0.5
    "d0": range(2),
    "dice": range(4),  # dice_window 0.3
}
WEIGHTS = {"d1": 2.0, "d2": 3.0, "p": 5.0, "d0": 7.0, "dice": 11.0}


def losses(
    t: list[int], *, p2: P2 | None = None, a: float = A, b: float = B, **changes: object
) -> dict[str, Tensor]:
    """Half of the slice is brain; a quarter of the brain is lesion; the rest is nonsense."""
    given = {"label_window": 0.5, "dice_window": 0.3, **changes}
    objective = Objective(PROCESS, LossConfig(**given), p2=p2 or P2())  # type: ignore[arg-type]
    g = torch.Generator().manual_seed(0)
    x_0, eps = (torch.randn(len(t), 1, 4, 4, generator=g, dtype=torch.float64) for _ in range(2))
    m, y_0 = torch.zeros_like(x_0), -torch.ones_like(x_0)
    m[..., :2], y_0[..., :1, :2] = 1, 1
    drawn = PROCESS.diffuse(x_0 * m, y_0 * m, eps * m, torch.tensor(t))

    def predict(x_t: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        assert torch.equal(x_t, drawn.x_t) and at.tolist() == t
        outside = 1e3 * (1 - m)
        return drawn.eps + a + outside, drawn.y_t + b + outside

    return objective(predict, x_0, y_0, m, eps, torch.tensor(t))


def closed(t: int, a: float = A, b: float = B) -> dict[str, float]:
    abar = float(PROCESS.schedule.alpha_bar[t])
    r = b - (1 - abar) ** 0.5 * a
    shift = r / abar**0.5
    lesion, background = (float(torch.sigmoid(torch.tensor(v + shift))) for v in (1.0, -1.0))
    dice = 1 - (2 * 2 * lesion + 1) / (2 * lesion + 6 * background + 2 + 1)
    return {"d1": r**2, "d2": (1 - abar) * a**2, "p": b**2, "d0": shift**2, "dice": dice}


@pytest.mark.parametrize("t", range(T + 1))
@pytest.mark.parametrize("term", WINDOWS)
def test_a_term_is_its_closed_form_inside_its_window_and_0_outside(term: str, t: int) -> None:
    expected = closed(t)[term] if t in WINDOWS[term] else 0.0
    assert float(losses([t])[term]) == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("term", ["d1", "d2", "p", "d0"])
def test_a_batch_is_the_mean_with_0_for_those_left_out(term: str) -> None:
    expected = sum(closed(t)[term] for t in WINDOWS[term]) / (T + 1)
    assert float(losses([*range(T + 1)])[term]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("t", [0, 1, 2, 3, 4, 5, 6, T])
def test_the_loss_is_the_weighted_sum_of_every_term(t: int) -> None:
    found = losses([t], **WEIGHTS)
    terms = {name: closed(t)[name] for name, window in WINDOWS.items() if t in window}
    assert terms
    expected = sum(WEIGHTS[name] * value for name, value in terms.items())
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("term", WINDOWS)
def test_each_weight_is_that_of_its_own_term(term: str) -> None:
    """One weight alone: at t = 1 or 2 every term is there once."""
    t = 2 if term in ("d1", "d2") else 1
    found = losses([t], **{**dict.fromkeys(WEIGHTS, 0.0), term: WEIGHTS[term]})
    assert float(found["loss"]) == pytest.approx(WEIGHTS[term] * closed(t)[term], rel=1e-4)


def test_the_papers_loss_has_every_term_once() -> None:
    assert LossConfig().model_dump() | dict.fromkeys(WEIGHTS, 1.0) == LossConfig().model_dump()


@pytest.mark.parametrize(("a", "b"), [(A, 0.0), (-A, 0.0), (0.0, B), (0.0, -B), (0.0, 0.0)])
@pytest.mark.parametrize("t", [1, 3, T])
def test_each_term_feels_the_errors_that_it_is_of(t: int, a: float, b: float) -> None:
    """L_d2 that of the noise alone, L_p that of the label alone, the others both with their signs;
    of no error at all nothing is left but Dice's reading of -1 and +1."""
    found = losses([t], a=a, b=b)
    for term, value in closed(t, a, b).items():
        expected = value if t in WINDOWS[term] else 0.0
        assert float(found[term]) == pytest.approx(expected, rel=1e-4, abs=1e-7), term


@pytest.mark.parametrize("p2", [P2(k=2.0, g=1.0), P2(k=1.0, g=2.0)])
@pytest.mark.parametrize("t", [2, 6, T])
def test_the_p2_weights_are_those_of_the_time(t: int, p2: P2) -> None:
    """lambda = 1 / (k + SNR)^g: L_d2 = lambda A^2 and L_d1 = lambda SNR r^2 / abar."""
    s = PROCESS.schedule
    weight = float(1 / (p2.k + s.snr[t]) ** p2.g)
    found = losses([t], p2=p2)
    assert float(found["d2"]) == pytest.approx(weight * A**2, rel=1e-4)
    y_0_error = closed(t)["d0"]
    assert float(found["d1"]) == pytest.approx(weight * float(s.snr[t]) * y_0_error, rel=1e-4)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.3, 1.0])
def test_a_window_of_the_label_is_a_share_of_T_its_end_included(fraction: float) -> None:
    for term, window in (("p", "label_window"), ("dice", "dice_window")):
        there = [t for t in range(T + 1) if float(losses([t], **{window: fraction})[term]) > 0]
        assert there == [t for t in range(T + 1) if t <= fraction * T], term


@pytest.mark.parametrize("reading", ["sigmoid", "linear"])
def test_the_label_is_read_and_judged_as_the_configuration_says(reading: str) -> None:
    """By hand at t = 0, where y_0_hat = y_0 + b = 0.5 in the lesion and -1.5 beside it."""
    found = losses(
        [0], a=0.0, b=-0.5, label_likelihood="bernoulli", label_reading=reading, dice_window=0.0
    )

    def read(v: float) -> float:
        if reading == "sigmoid":
            return 1 / (1 + math.exp(-v))
        return min(max((1 + v) / 2, 1e-6), 1 - 1e-6)

    lesion, background = read(0.5), read(-1.5)
    expected = -(2 * math.log(lesion) + 6 * math.log1p(-background)) / 8
    assert float(found["d0"]) == pytest.approx(expected, rel=1e-4)
    dice = 1 - (2 * 2 * lesion + 1) / (2 * lesion + 6 * background + 2 + 1)
    assert float(found["dice"]) == pytest.approx(dice, rel=1e-4)


def test_the_norm_of_the_noise_is_the_one_given_and_sees_the_error_and_the_mask() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def norm(residual: Tensor, m: Tensor) -> Tensor:
        seen.append((residual, m))
        return torch.full((len(residual),), 5.0, dtype=torch.float64)

    x_0, y_0, eps = torch.zeros(3, 2, 1, 4, 4).unbind()
    m = torch.ones_like(x_0)
    oracle, t = Oracle(PROCESS, x_0, y_0), torch.tensor([1, 6])

    def predict(x_t: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        found, y_t = oracle(x_t, at)
        return found + A, y_t

    found = Objective(PROCESS, LossConfig(), noise_error=norm)(predict, x_0, y_0, m, eps, t)
    gamma = float(PROCESS.schedule.gamma[6])
    assert float(found["d2"]) == pytest.approx((0 + gamma * 5.0) / 2)
    (residual, mask), *more = seen
    assert not more and torch.equal(mask, m)
    torch.testing.assert_close(residual, torch.full_like(residual, A))


def test_an_oracle_has_no_loss_but_that_of_the_reading() -> None:
    """With labels of -1 and +1 read linearly not even that: every term is least at the truth."""
    g = torch.Generator().manual_seed(1)
    x_0, eps = torch.randn(2, 4, 1, 6, 6, generator=g).unbind()
    y_0 = torch.where(torch.rand(4, 1, 6, 6, generator=g) < 0.3, 1.0, -1.0)
    m = (torch.rand(4, 1, 6, 6, generator=g) < 0.8).float()
    x_0, y_0, eps = x_0 * m, y_0 * m, eps * m
    config = LossConfig(label_reading="linear")
    t = torch.tensor([0, 1, 3, T])
    found = Objective(PROCESS, config)(Oracle(PROCESS, x_0, y_0), x_0, y_0, m, eps, t)
    assert all(abs(float(value)) < 1e-4 for value in found.values()), found


def test_the_loss_moves_the_network_by_every_term() -> None:
    """The gradient is the weighted sum of the terms' gradients: nothing is detached."""
    a, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (A, B))
    found = losses([1, 2], a=a, b=b, **WEIGHTS)  # type: ignore[arg-type]
    whole = torch.autograd.grad(found["loss"], (a, b), retain_graph=True)
    for at, own in enumerate((a, b)):
        parts = [
            torch.autograd.grad(found[k], own, retain_graph=True, allow_unused=True)[0] or 0.0
            for k in WEIGHTS
        ]
        expected = sum(w * float(p) for w, p in zip(WEIGHTS.values(), parts, strict=True))
        assert float(whole[at]) == pytest.approx(expected, rel=1e-5)
        needed = {"d1", "d0", "dice", "d2" if at == 0 else "p"}
        assert all(float(p) != 0 for k, p in zip(WEIGHTS, parts, strict=True) if k in needed)
