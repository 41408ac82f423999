"""The law of arccos(clip(mu + e)) for Gaussian e, in closed form: what equation (8) does to noise.

Each coordinate a_j = arccos(clip(mu_j + s_j u_j, -1, 1)), u_j ~ N(0, 1), is expanded in Hermite
polynomials, a_j = sum_n c_jn He_n(u_j) / sqrt(n!). By Mehler's formula

    E a_j = c_j0,    cov(a_i, a_j) = sum_{n >= 1} c_in c_jn rho_ij^n.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

ORDER = 24
NODES = 2001
REACH = 7.0
CHUNK = 512


@dataclass(frozen=True)
class ArccosLaw:
    """`coefficients` (D, ORDER + 1) and the exact variances (D,), float64."""

    coefficients: Tensor
    variance: Tensor

    @property
    def mean(self) -> Tensor:
        """E a, (D,) float64."""
        return self.coefficients[:, 0]

    def covariance(self, correlation: Tensor) -> Tensor:
        """cov(a), (D, D), from the correlation rho of e; the diagonal is exact."""
        total = torch.zeros_like(correlation)
        power = torch.ones_like(correlation)
        for n in range(1, ORDER + 1):
            power *= correlation
            c = self.coefficients[:, n]
            total += power * c[:, None] * c[None]
        total.diagonal().copy_(self.variance)
        return total


def arccos_law(mean: Tensor, deviation: Tensor) -> ArccosLaw:
    """The law for means mu (D,) and standard deviations s (D,), by quadrature on 2001 nodes."""
    u = torch.linspace(-REACH, REACH, NODES, dtype=torch.float64)
    weight = torch.exp(-(u**2) / 2)
    weight = weight / weight.sum()
    projector = (_hermite(u) * weight).T
    coefficients, variance = [], []
    for mu, s in zip(*(torch.split(v.double(), CHUNK) for v in (mean, deviation)), strict=True):
        a = torch.arccos((mu[:, None] + s[:, None] * u).clamp(-1, 1))
        coefficients.append(a @ projector)
        variance.append((a**2) @ weight - (a @ weight) ** 2)
    return ArccosLaw(torch.cat(coefficients), torch.cat(variance).clamp(min=0))


def _hermite(u: Tensor) -> Tensor:
    """He_n(u) / sqrt(n!) for n = 0..ORDER, (ORDER + 1, len(u))."""
    rows = [torch.ones_like(u), u]
    for n in range(1, ORDER):
        rows.append((u * rows[n] - sqrt(n) * rows[n - 1]) / sqrt(n + 1))
    return torch.stack(rows)
