"""The synchronous image-label diffusion process: image and label share one noise.

Source: SDPM equations (10) and (11); SADPM equation (3) and the posterior above it, read with
the bars on alpha that its text drops.

Shapes: images and labels are (B, C, H, W); t is (B,) int64 in 0..T; coefficients broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from strokediff.core.schedule import Schedule


@dataclass(frozen=True)
class Diffused:
    """A draw of the forward process, equation (11): x_t and y_t with the same noise eps at time t.

    x_t and eps are (B, 1, H, W), y_t (B, K, H, W), K kinds of lesion, t (B,).

    >>> process = SynchronousProcess(sigmoid_schedule(T=500))
    >>> x_0, y_0, eps = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    >>> drawn = process.diffuse(x_0, y_0, eps, torch.tensor([250]))
    >>> (drawn.y_t - drawn.x_t).allclose(process.alpha_bar(drawn.t, y_0).sqrt() * y_0)
    True
    """

    x_t: Tensor
    y_t: Tensor
    eps: Tensor
    t: Tensor


class SynchronousProcess:
    """q(x_t, y_t | x_0, y_0), the posterior and the changes of variable between estimates.

    >>> import torch
    >>> from strokediff.core.schedule import sigmoid_schedule
    >>> process = SynchronousProcess(sigmoid_schedule(T=500))
    >>> x_0, y_0, eps = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    >>> t = torch.tensor([250])
    >>> drawn = process.diffuse(x_0, y_0, eps, t)
    >>> round(float(drawn.x_t.mean()), 4), round(float(drawn.y_t.mean()), 4)
    (0.7071, 1.4142)
    >>> process.clean(drawn.y_t, drawn.eps, t).allclose(y_0)
    True
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    @property
    def T(self) -> int:
        """The diffusion period."""
        return self.schedule.T

    def alpha_bar(self, t: Tensor, like: Tensor) -> Tensor:
        """alpha_bar[t], shaped and typed to multiply `like`."""
        return _at(self.schedule.alpha_bar, t, like)

    def gamma(self, t: Tensor, like: Tensor) -> Tensor:
        """gamma[t], shaped and typed to multiply `like`."""
        return _at(self.schedule.gamma, t, like)

    def noised(self, clean: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Equation (11): sqrt(alpha_bar) clean + sqrt(gamma) eps, for an image or a label."""
        return self.alpha_bar(t, clean).sqrt() * clean + self.gamma(t, clean).sqrt() * eps

    def diffuse(self, x_0: Tensor, y_0: Tensor, eps: Tensor, t: Tensor) -> Diffused:
        """Equation (11) for the pair: x_t and y_t with one eps."""
        return Diffused(self.noised(x_0, eps, t), self.noised(y_0, eps, t), eps, t)

    def clean(self, noisy: Tensor, eps_hat: Tensor, t: Tensor) -> Tensor:
        """Equation (11) solved for the clean one: noisy/sqrt(abar) - sqrt(gamma/abar) eps_hat."""
        bar, gamma = self.alpha_bar(t, noisy), self.gamma(t, noisy)
        return (noisy - gamma.sqrt() * eps_hat) / bar.sqrt()

    def posterior_mean(self, clean: Tensor, eps: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """Equation (10), the posterior's mean at s < t, for an image or a label.

        sqrt(abar[s]) y_0 + sqrt(alpha) gamma[s] / sqrt(gamma[t]) eps with alpha = abar[t]/abar[s].
        At s = t - 1 that is the equation itself; for longer steps it is the same on the
        sub-sequence that holds only s and t (Song et al. 2021, at eta = 1).
        """
        bar, gamma = self.schedule.alpha_bar, self.schedule.gamma
        alpha = bar[t.cpu()] / bar[s.cpu()]
        weight = alpha.sqrt() * gamma[s.cpu()] / gamma[t.cpu()].sqrt()
        return self.alpha_bar(s, clean).sqrt() * clean + _shaped(weight, clean) * eps

    def posterior_variance(self, t: Tensor, s: Tensor, like: Tensor) -> Tensor:
        """Equation (10), the posterior's variance at s < t: (1 - alpha) gamma[s] / gamma[t].

        alpha = abar[t]/abar[s], so at s = t - 1 it is beta[t] gamma[t-1] / gamma[t].
        """
        bar, gamma = self.schedule.alpha_bar, self.schedule.gamma
        beta = 1 - bar[t.cpu()] / bar[s.cpu()]
        return _shaped(beta * gamma[s.cpu()] / gamma[t.cpu()], like)


def _at(values: Tensor, t: Tensor, like: Tensor) -> Tensor:
    return _shaped(values[t.cpu()], like)


def _shaped(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like).reshape(-1, *(1,) * (like.ndim - 1))
