"""The exact oracle: a network that knows x_0 and y_0. It tests every sampler untrained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from strokediff.core.process import SynchronousProcess


@dataclass(frozen=True)
class Oracle:
    """(x_t, t) -> (eps, y_t), exact for the image and label that it was given.

    eps = (x_t - sqrt(abar) x_0) / sqrt(gamma), 0 at t = 0; y_t follows by equation (11).

    >>> import torch
    >>> from strokediff.core.schedule import sigmoid_schedule
    >>> process = SynchronousProcess(sigmoid_schedule(T=500))
    >>> x_0, y_0, eps = torch.zeros(3, 1, 1, 2, 2).unbind()
    >>> t = torch.tensor([250])
    >>> eps_hat, _ = Oracle(process, x_0, y_0)(process.noised(x_0, eps + 1, t), t)
    >>> eps_hat.allclose(eps + 1)
    True
    """

    process: SynchronousProcess
    x_0: Tensor
    y_0: Tensor

    def __call__(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The true noise of x_t and the true noisy label."""
        signal = self.process.alpha_bar(t, x_t).sqrt() * self.x_0
        scale = self.process.gamma(t, x_t).sqrt()
        eps = (x_t - signal) / scale.clamp(min=1e-12) * (scale > 0)
        return eps, self.process.noised(self.y_0, eps, t)
