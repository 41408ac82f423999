"""A fifth estimate: the image is read at the t whose noise is the scan's own.

A scan x_0 = x + sigma n is noisy itself. With sqrt(gamma_t / abar_t) = sigma the network's input
sqrt(abar_t) x_0 = sqrt(abar_t) x + sqrt(gamma_t) n is what equation (11) makes of the scan without
noise, and the network, which was told t, reads the label of that. Not in the papers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from strokediff.core.process import SynchronousProcess
from strokediff.inference.estimator import Context, Slices
from strokediff.noise.roughness import OF_WHITE, roughness

OF_NORMAL = 0.6744897501960817
"""The median of |n|, n standard normal."""


def noise_sd(x_0: Tensor, m: Tensor) -> Tensor:
    """The standard deviation of the noise of each slice (S, 1, H, W) in its mask m, (S,).

    The median of |second difference| / (6 x 0.674) over pixels all of whose neighbours are in the
    mask, so that edges and lesions, which are few, do not count. 0 for a slice without such pixels.

    >>> x = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)
    >>> noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> [round(float(noise_sd(x + s * noise, torch.ones_like(x))), 2) for s in (0.0, 0.1, 0.2)]
    [0.0, 0.1, 0.2]
    """
    rough, _ = roughness(x_0[:, 0], m[:, 0])
    return rough[:, 0] / (OF_WHITE * OF_NORMAL)


def matched_t(sigma: Tensor, process: SynchronousProcess) -> Tensor:
    """The t in 0..T at which sqrt(gamma_t / abar_t) is nearest to each sigma, (S,) int64."""
    ratio = (process.schedule.gamma / process.schedule.alpha_bar).sqrt()
    above = torch.searchsorted(ratio, sigma.to(ratio)).clamp(1, process.T)
    nearer = (sigma - ratio[above - 1]) < (ratio[above] - sigma)
    return torch.where(nearer, above - 1, above)


@dataclass(frozen=True)
class Matched:
    """y_0_hat(sqrt(abar_t) x_0, t), sqrt(gamma_t / abar_t) = sigma, of every slice its own.

    `level` reads at so many times the slice's noise, with as much of the model's noise added as is
    missing: draws differ then, so that more of them are worth something. At 1 none is added. Raises
    `ValueError` below that.

    A network that knows label and image reads the label of a noisy scan exactly:

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.eye(16)[None, None]
    >>> noise = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> slices = Slices(0.3 * noise, torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, torch.zeros_like(y_0), y_0), process, IsotropicNoise())
    >>> Matched().draw(slices, context).allclose(y_0, atol=1e-5)
    True
    """

    level: float = 1.0
    name: str = "matched"

    def __post_init__(self) -> None:
        if not self.level >= 1:
            raise ValueError(f"expected a level of 1 or more, got {self}")

    def evaluations(self) -> int:
        """One."""
        return 1

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, K, H, W); every draw is the same at level 1."""
        sigma = noise_sd(slices.x_0, slices.m)
        t = matched_t(self.level * sigma, context.process)
        x_0 = slices.x_0
        if self.level > 1:
            missing = math.sqrt(self.level**2 - 1) * sigma[:, None, None, None]
            x_0 = x_0 + missing * context.draw(slices, "matched")
        x_t = context.process.alpha_bar(t, x_0).sqrt() * x_0
        eps_hat, y_t_hat = context.predict(x_t, t, slices)
        return context.process.clean(y_t_hat, eps_hat, t)
