"""The bound that trains learned sigma (Nichol and Dhariwal 2021, "Improved denoising diffusion
probabilistic models", section 3.1), as guided_diffusion/gaussian_diffusion.py, `_vb_terms_bpd`, of
SuperMedIntel/MedSegDiff has it.

In bits a pixel, with q the posterior of the true label and p the network's step:

    L_t = KL(q(y_(t-1) | y_t, y_0) || p(y_(t-1) | y_t))      t > 1
    L_1 = -log p(y_0 | y_1), a label being a bin of width 2/255, the outermost open
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from strokediff.baselines.reverse import LearnedRange, Normal, free_mean, log_narrow
from strokediff.core.process import SynchronousProcess

BIN = 1.0 / 255.0
"""Half the width of a bin."""
LEAST = 1e-12
"""Below this a probability is cut before its logarithm is taken."""


def variational_bits(
    process: SynchronousProcess, y_0: Tensor, y_t: Tensor, found: Tensor, t: Tensor
) -> Tensor:
    """L_t (S, K, H, W) of true labels, noisy ones at t (S,) on the CPU, and eps_hat with v.

    Only v is trained by it: eps_hat is taken as given.
    """
    eps_hat, v = found.chunk(2, dim=1)
    s = t - 1
    given = torch.cat([eps_hat.detach(), v], dim=1)
    step = LearnedRange(free_mean)(process, y_t, given, t, s)
    eps = (y_t - process.alpha_bar(t, y_t).sqrt() * y_0) / process.gamma(t, y_t).sqrt()
    truth = Normal(process.posterior_mean(y_0, eps, t, s), log_narrow(process, t, s, y_t))
    first = (t == 1).to(y_t.device).reshape(-1, *(1,) * (y_t.ndim - 1))
    nats = torch.where(first, -log_probability_of_bin(y_0, step), kl_divergence(truth, step))
    return nats / math.log(2.0)


def kl_divergence(a: Normal, b: Normal) -> Tensor:
    """KL(a || b) in nats, of normals pixel by pixel.

    (ln(s_b^2 / s_a^2) - 1 + s_a^2 / s_b^2 + (m_a - m_b)^2 / s_b^2) / 2
    """
    ratio = a.log_variance - b.log_variance
    off = (a.mean - b.mean).square() * (-b.log_variance).exp()
    return 0.5 * (ratio.exp() - 1 - ratio + off)


def log_probability_of_bin(y: Tensor, of: Normal) -> Tensor:
    """ln P of the bin around y in [-1, 1]; the bins at both ends reach to infinity.

    With the normal distribution itself, which the release approximates by a tanh.
    """
    above = torch.special.ndtr((y - of.mean + BIN) / of.deviation)
    below = torch.special.ndtr((y - of.mean - BIN) / of.deviation)
    above = torch.where(y > 0.999, torch.ones_like(above), above)
    below = torch.where(y < -0.999, torch.zeros_like(below), below)
    return (above - below).clamp(min=LEAST).log()
