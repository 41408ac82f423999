"""The training losses of SDPM, section 2.3, in the P2 form.

Every loss is a mean over the pixels inside the brain mask `m`, one value per sample (B,), so
that the caller weights samples by t and averages. With e_y = y_t_hat - y_t and
e_eps = eps_hat - eps,

    y_0_hat - y_0 = (e_y - sqrt(gamma) e_eps) / sqrt(abar),

so the factor abar of L_d1's weight cancels the 1/abar that explodes near T: `label_residual`
is that product, and nothing is clamped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from strokediff.core.process import Diffused, SynchronousProcess
from strokediff.core.schedule import Schedule


@dataclass(frozen=True)
class ExactWeights:
    """The weights of equation (13) as printed, (T + 1,) float64; they hold for t >= 2.

    `d1` is that of |y_0 - y_0_hat|^2 and `d2` that of |eps - eps_hat|^2.
    """

    d1: Tensor
    d2: Tensor


def exact_weights(schedule: Schedule) -> ExactWeights:
    """Equation (13) with sigma_t^2 the posterior variance.

    d1 = abar[t-1] / (2 sigma^2), of |y_0 - y_0_hat|^2;
    d2 = alpha[t] gamma[t-1]^2 / (2 sigma^2 gamma[t]), of |eps - eps_hat|^2.
    Their ratio tends to SNR[t] as beta -> 0, which is the common factor that the P2 form drops.

    >>> from strokediff.core.schedule import sigmoid_schedule
    >>> schedule = sigmoid_schedule(T=500)
    >>> weights = exact_weights(schedule)
    >>> ratio = (weights.d1 / weights.d2 / schedule.snr)[[50, 250, 450]]
    >>> [round(value, 2) for value in ratio.tolist()]
    [1.06, 1.03, 1.05]
    """
    bar, gamma, alpha = schedule.alpha_bar, schedule.gamma, schedule.alpha
    sigma2 = schedule.beta[1:] * gamma[:-1] / gamma[1:]
    nan = bar.new_full((1,), torch.nan)
    d1 = torch.cat([nan, bar[:-1] / (2 * sigma2)])
    d2 = torch.cat([nan, alpha[1:] * gamma[:-1] ** 2 / (2 * sigma2 * gamma[1:])])
    return ExactWeights(d1, d2)


@dataclass(frozen=True)
class P2:
    """P2 weighting (Choi et al. 2022): lambda_t = 1 / (k + SNR_t)^g.

    L_d2 is lambda |e_eps|^2. L_d1 is lambda SNR |y_0 - y_0_hat|^2 = lambda |r|^2 / gamma with
    r = e_y - sqrt(gamma) e_eps. For k = g = 1, lambda = gamma, so L_d1 = |r|^2 for every t,
    t = 0 included, where its limit is taken.

    >>> from strokediff.core.schedule import sigmoid_schedule
    >>> schedule = sigmoid_schedule(T=500)
    >>> P2().d1(schedule)[[0, 250, 500]].tolist()
    [1.0, 1.0, 1.0]
    >>> P2().d2(schedule).allclose(schedule.gamma)
    True
    """

    k: float = 1.0
    g: float = 1.0

    def d2(self, schedule: Schedule) -> Tensor:
        """Weight of |e_eps|^2, (T + 1,): gamma^g / (k gamma + abar)^g; 0 at t = 0."""
        return (schedule.gamma / (self.k * schedule.gamma + schedule.alpha_bar)) ** self.g

    def d1(self, schedule: Schedule) -> Tensor:
        """Weight of |r|^2, (T + 1,): lambda / gamma, finite at t = 0 if g >= 1."""
        if self.g < 1:
            raise ValueError(f"the weight of L_d1 diverges at t = 0 for g = {self.g}; use g >= 1")
        gamma = schedule.gamma
        return gamma ** (self.g - 1) / (self.k * gamma + schedule.alpha_bar) ** self.g


def masked_mean(values: Tensor, m: Tensor) -> Tensor:
    """Mean of `values` (B, C, H, W) over the pixels where m (B, 1, H, W) is 1; shape (B,)."""
    total = (values * m).flatten(1).sum(1)
    return total / m.expand_as(values).flatten(1).sum(1).clamp(min=1.0)


def label_residual(
    process: SynchronousProcess, drawn: Diffused, eps_hat: Tensor, y_t_hat: Tensor
) -> Tensor:
    """r = sqrt(abar) (y_0_hat - y_0) = e_y - sqrt(gamma) e_eps, free of any division."""
    gamma = process.gamma(drawn.t, drawn.y_t)
    return (y_t_hat - drawn.y_t) - gamma.sqrt() * (eps_hat - drawn.eps)


NoiseError = Callable[[Tensor, Tensor], Tensor]
"""(eps_hat - eps, m) -> its squared norm per pixel of the brain, one value a sample (B,)."""


def squared_error(residual: Tensor, m: Tensor) -> Tensor:
    """|eps_hat - eps|^2 a pixel, as L_d2 prints it; for noise N(0, I) the likelihood's norm."""
    return masked_mean(residual**2, m)


@dataclass(frozen=True)
class Mahalanobis:
    """|Sigma^-1/2 (eps_hat - eps)|^2 a pixel: the norm that noise N(0, Sigma) asks for in L_d2.

    `whiten` maps a residual and masks m to Sigma_m^-1/2 residual, Sigma_m being the covariance of
    the pixels inside m. For Sigma = I it is `squared_error`.

    >>> residual, m = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    >>> Mahalanobis(lambda residual, m: residual / 2)(residual, m).tolist()
    [0.25]
    """

    whiten: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, residual: Tensor, m: Tensor) -> Tensor:
        """One value a sample, (B,)."""
        return masked_mean(self.whiten(residual * m, m) ** 2, m)


LabelReading = Callable[[Tensor], Tensor]
"""y_0_hat -> the probability of lesion."""

CERTAIN = 1e-6
"""No probability is read closer to 0 or 1, so that its logarithm is finite."""


def sigmoid_reading(y_0_hat: Tensor) -> Tensor:
    """sigmoid(y_0_hat), for a label without bounds; -1 and +1 read 0.27 and 0.73."""
    return torch.sigmoid(y_0_hat)


def linear_reading(y_0_hat: Tensor) -> Tensor:
    """(1 + y_0_hat) / 2, for a label in [-1, 1]: the true label reads as the true probability."""
    return ((1.0 + y_0_hat) / 2.0).clamp(CERTAIN, 1.0 - CERTAIN)


LABEL_READINGS: dict[str, LabelReading] = {"sigmoid": sigmoid_reading, "linear": linear_reading}

LabelLikelihood = Callable[[Tensor, Tensor, Tensor, LabelReading], Tensor]
"""(y_0_hat, y_0, m, reading) -> -log p(y_0 | y_1) up to constants, one value a sample (B,)."""


def gaussian_label(y_0_hat: Tensor, y_0: Tensor, m: Tensor, reading: LabelReading) -> Tensor:
    """L_d0 with p(y_0 | y_1) normal around y_0_hat: the mean squared error."""
    return masked_mean((y_0_hat - y_0) ** 2, m)


def bernoulli_label(y_0_hat: Tensor, y_0: Tensor, m: Tensor, reading: LabelReading) -> Tensor:
    """L_d0 with p(y_0 = 1 | y_1) = reading(y_0_hat): the cross-entropy.

    As DDPM decodes its last step by a discrete law, since y_0 is discrete.
    """
    p = reading(y_0_hat).clamp(CERTAIN, 1.0 - CERTAIN)
    return masked_mean(-torch.where(y_0 > 0, p.log(), torch.log1p(-p)), m)


LABEL_LIKELIHOODS: dict[str, LabelLikelihood] = {
    "gaussian": gaussian_label,
    "bernoulli": bernoulli_label,
}


def soft_dice_loss(
    y_0_hat: Tensor, y_0: Tensor, m: Tensor, reading: LabelReading = sigmoid_reading
) -> Tensor:
    """1 - soft Dice of reading(y_0_hat) against the label in {-1, +1}, over the batch.

    (2 sum p g + 1) / (sum p + sum g + 1) with sums over every pixel inside m of every sample, so
    slices without lesion count through their false positives; the mean over kinds. Scalar.
    """
    p = (reading(y_0_hat) * m).movedim(1, 0).flatten(1)
    g = ((y_0 > 0).to(p.dtype) * m).movedim(1, 0).flatten(1)
    return (1.0 - (2.0 * (p * g).sum(1) + 1.0) / (p.sum(1) + g.sum(1) + 1.0)).mean()
