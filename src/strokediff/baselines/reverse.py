"""One step back in a label's diffusion: where y_s is drawn from, given the network's answer at t.

With alpha = abar[t] / abar[s], s < t, on the times that are visited:

    beta = 1 - alpha                     the variance of q(y_t | y_s)
    beta~ = beta gamma[s] / gamma[t]     the variance of q(y_s | y_t, y_0)

The mean is that of q(y_s | y_t, y_0_hat), DDPM equation (7). What differs is the variance, and
whether y_0_hat is clipped to [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from strokediff.core.process import SynchronousProcess


@dataclass(frozen=True)
class Normal:
    """N(mean, exp(log_variance)), pixel by pixel; both (S, K, H, W), or shaped to broadcast."""

    mean: Tensor
    log_variance: Tensor

    @property
    def deviation(self) -> Tensor:
        """The standard deviation."""
        return (0.5 * self.log_variance).exp()


class Reverse(Protocol):
    """Reads one step from what the network gives."""

    def __call__(
        self, process: SynchronousProcess, y_t: Tensor, found: Tensor, t: Tensor, s: Tensor
    ) -> Normal:
        """p(y_s | y_t) of labels (S, K, H, W); `found` is the network's answer, t and s (S,)."""
        ...


def clipped_mean(
    process: SynchronousProcess, y_t: Tensor, eps_hat: Tensor, t: Tensor, s: Tensor
) -> Tensor:
    """The posterior's mean for y_0_hat clipped to [-1, 1], and for the noise that goes with it."""
    y_0 = process.clean(y_t, eps_hat, t).clamp(-1, 1)
    signal = process.alpha_bar(t, y_t).sqrt() * y_0
    eps = (y_t - signal) / process.gamma(t, y_t).sqrt()
    return process.posterior_mean(y_0, eps, t, s)


def free_mean(
    process: SynchronousProcess, y_t: Tensor, eps_hat: Tensor, t: Tensor, s: Tensor
) -> Tensor:
    """The posterior's mean for y_0_hat as it is."""
    return process.posterior_mean(process.clean(y_t, eps_hat, t), eps_hat, t, s)


Mean = Callable[[SynchronousProcess, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(process, y_t, eps_hat, t, s) -> the mean of y_s, (S, K, H, W)."""


@dataclass(frozen=True)
class Posterior:
    """y_0_hat clipped, variance beta~: the posterior's own."""

    def __call__(
        self, process: SynchronousProcess, y_t: Tensor, found: Tensor, t: Tensor, s: Tensor
    ) -> Normal:
        """`found` is eps_hat (S, K, H, W)."""
        return Normal(clipped_mean(process, y_t, found, t, s), log_narrow(process, t, s, y_t))


@dataclass(frozen=True)
class Wide:
    """y_0_hat as it is, variance beta: SegDiff's release.

    `sigma_small = False` and `clip_denoised = False` in tomeramit/SegDiff,
    image_train_diff_medical.py, `main`.
    """

    def __call__(
        self, process: SynchronousProcess, y_t: Tensor, found: Tensor, t: Tensor, s: Tensor
    ) -> Normal:
        """`found` is eps_hat (S, K, H, W)."""
        return Normal(free_mean(process, y_t, found, t, s), log_wide(process, t, s, y_t))


@dataclass(frozen=True)
class LearnedRange:
    """Variance beta^f beta~^(1 - f) with f = (v + 1) / 2: learned sigma.

    Nichol and Dhariwal 2021, equation (15). v is the network's second answer, free to leave
    [-1, 1]; inside, sigma lies between the two.
    """

    mean: Mean = clipped_mean

    def __call__(
        self, process: SynchronousProcess, y_t: Tensor, found: Tensor, t: Tensor, s: Tensor
    ) -> Normal:
        """`found` is eps_hat and v, (S, 2 K, H, W)."""
        eps_hat, v = found.chunk(2, dim=1)
        f = (v + 1) / 2
        wide, narrow = log_wide(process, t, s, y_t), log_narrow(process, t, s, y_t)
        return Normal(self.mean(process, y_t, eps_hat, t, s), f * wide + (1 - f) * narrow)


def log_wide(process: SynchronousProcess, t: Tensor, s: Tensor, like: Tensor) -> Tensor:
    """ln beta, shaped to multiply `like`."""
    bar = process.schedule.alpha_bar
    return _shaped((1 - bar[t.cpu()] / bar[s.cpu()]).log(), like)


def log_narrow(process: SynchronousProcess, t: Tensor, s: Tensor, like: Tensor) -> Tensor:
    """ln beta~, shaped to multiply `like`.

    At s = 0, where beta~ is 0, that of the step from max(t, 2) to 1, as both releases clip it: no
    noise is drawn there, but the bound of learned sigma reads it.
    """
    last = s.cpu() == 0
    late, early = torch.where(last, t.cpu().clamp(min=2), t.cpu()), s.cpu().clamp(min=1)
    bar, gamma = process.schedule.alpha_bar, process.schedule.gamma
    beta = 1 - bar[late] / bar[early]
    return _shaped((beta * gamma[early] / gamma[late]).log(), like)


def _shaped(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like).reshape(-1, *(1,) * (like.ndim - 1))
