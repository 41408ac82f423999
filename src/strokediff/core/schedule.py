"""Noise schedules: alpha_bar over t = 0..T, with alpha_bar[0] = 1 (t = 0 is the clean image).

Source: SDPM, section 2.1; the sigmoid curve is the one of its section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

MAX_BETA = 0.999


@dataclass(frozen=True)
class Schedule:
    """The quantities of equation (2), each of shape (T + 1,), float64.

    alpha_bar[t] = prod_{k<=t} alpha[k];  gamma = 1 - alpha_bar;  beta = 1 - alpha.
    alpha[0] = 1 and beta[0] = 0 by convention. Raises `ValueError` unless alpha_bar is float64,
    starts at 1, falls strictly and stays positive.

    >>> schedule = Schedule(torch.tensor([1.0, 0.75, 0.25], dtype=torch.float64))
    >>> schedule.T, schedule.gamma.tolist(), schedule.snr[1:].tolist()
    (2, [0.0, 0.25, 0.75], [3.0, 0.3333333333333333])
    """

    alpha_bar: Tensor

    def __post_init__(self) -> None:
        bar = self.alpha_bar
        if bar.dtype != torch.float64 or bar.ndim != 1 or bar[0] != 1.0:
            raise ValueError("alpha_bar must be a float64 vector that starts at 1")
        if not bool((bar.diff() < 0).all()) or not bool((bar > 0).all()):
            raise ValueError("alpha_bar must fall strictly and stay positive")

    @property
    def T(self) -> int:
        """The diffusion period."""
        return len(self.alpha_bar) - 1

    @property
    def gamma(self) -> Tensor:
        """Variance of the noise in x_t: 1 - alpha_bar."""
        return 1.0 - self.alpha_bar

    @property
    def alpha(self) -> Tensor:
        """alpha[t] = alpha_bar[t] / alpha_bar[t-1], alpha[0] = 1."""
        one = self.alpha_bar.new_ones(1)
        return torch.cat([one, self.alpha_bar[1:] / self.alpha_bar[:-1]])

    @property
    def beta(self) -> Tensor:
        """beta = 1 - alpha."""
        return 1.0 - self.alpha

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio alpha_bar / gamma; infinite at t = 0."""
        return self.alpha_bar / self.gamma


def from_betas(beta: Tensor) -> Schedule:
    """Schedule with transition variances beta[1..T] (shape (T,)), clipped to 0.999.

    >>> from_betas(torch.tensor([0.5, 0.5])).alpha_bar.tolist()
    [1.0, 0.5, 0.25]
    """
    alpha = 1.0 - beta.double().clamp(max=MAX_BETA)
    return Schedule(torch.cat([alpha.new_ones(1), alpha.cumprod(0)]))


def sigmoid_schedule(
    T: int = 500, start: float = -3.0, end: float = 3.0, tau: float = 1.0
) -> Schedule:
    """Sigmoid curve on alpha_bar, with beta clipped to 0.999.

    alpha_bar(u) = (s(end) - s(start + u (end - start))) / (s(end) - s(start)), u = t / T,
    s(v) = 1 / (1 + exp(-v / tau)).

    >>> sigmoid_schedule(T=500).alpha_bar[[0, 125, 250, 375]].round(decimals=3).tolist()
    [1.0, 0.851, 0.5, 0.149]
    """

    def sigmoid(v: float) -> float:
        return 1.0 / (1.0 + math.exp(-v / tau))

    top, bottom = sigmoid(end), sigmoid(start)
    curve = [(top - sigmoid(start + (end - start) * t / T)) / (top - bottom) for t in range(T + 1)]
    bar = torch.tensor(curve, dtype=torch.float64)
    return from_betas(1.0 - bar[1:] / bar[:-1])


def sigmoid_beta_schedule(
    T: int = 500, least: float = 1e-4, most: float = 0.02, width: float = 6.0
) -> Schedule:
    """Sigmoid curve on beta itself, which SDPM section 3 may mean as well.

    beta[t] = least + (most - least) s(v_t), v_1 .. v_T from -width to width evenly,
    s(v) = 1 / (1 + exp(-v)). Noise comes later than with `sigmoid_schedule`:

    >>> both = sigmoid_schedule(T=500), sigmoid_beta_schedule(T=500)
    >>> [round(float(schedule.gamma[50].sqrt()), 3) for schedule in both]
    [0.199, 0.098]
    """
    v = torch.linspace(-width, width, T, dtype=torch.float64)
    return from_betas(least + (most - least) * torch.sigmoid(v))


ScheduleName = Literal["sigmoid", "sigmoid-beta"]
SCHEDULES: Mapping[ScheduleName, Callable[[int], Schedule]] = {
    "sigmoid": sigmoid_schedule,
    "sigmoid-beta": sigmoid_beta_schedule,
}
"""By name: a sigmoid curve on alpha_bar, or on beta."""
