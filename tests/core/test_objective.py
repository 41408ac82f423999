"""The loss in closed form: each term, each edge of its window, each weight.

The predictions are off by constants, eps_hat = eps + A and y_t_hat = y_t + B, so that with
r = B - sqrt(gamma_t) A every term is known: L_d1 = r^2 and L_d2 = gamma_t A^2 (P2 with k = g = 1),
L_p = B^2, L_d0 = r^2 / abar_t (Gaussian), and Dice is that of y_0 + r / sqrt(abar_t).
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from strokediff.core.objective import LossConfig, Objective
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


def losses(t: list[int], **changes: object) -> dict[str, Tensor]:
    """Half of the slice is brain; a quarter of the brain is lesion; the rest is nonsense."""
    config = LossConfig(label_window=0.5, dice_window=0.3, **changes)  # type: ignore[arg-type]
    objective = Objective(PROCESS, config)
    g = torch.Generator().manual_seed(0)
    x_0, eps = (torch.randn(len(t), 1, 4, 4, generator=g, dtype=torch.float64) for _ in range(2))
    m, y_0 = torch.zeros_like(x_0), -torch.ones_like(x_0)
    m[..., :2], y_0[..., :1, :2] = 1, 1
    drawn = PROCESS.diffuse(x_0 * m, y_0 * m, eps * m, torch.tensor(t))

    def predict(x_t: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        assert torch.equal(x_t, drawn.x_t) and at.tolist() == t
        outside = 1e3 * (1 - m)
        return drawn.eps + A + outside, drawn.y_t + B + outside

    return objective(predict, x_0, y_0, m, eps, torch.tensor(t))


def closed(t: int) -> dict[str, float]:
    abar = float(PROCESS.schedule.alpha_bar[t])
    r = B - (1 - abar) ** 0.5 * A
    shift = r / abar**0.5
    lesion, background = (float(torch.sigmoid(torch.tensor(v + shift))) for v in (1.0, -1.0))
    dice = 1 - (2 * 2 * lesion + 1) / (2 * lesion + 6 * background + 2 + 1)
    return {"d1": r**2, "d2": (1 - abar) * A**2, "p": B**2, "d0": shift**2, "dice": dice}


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
