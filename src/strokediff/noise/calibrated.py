"""SADPM's Fourier noise with what is wrong in it mended (METHOD, "fourier, calibrated").

Equations (5)-(8) on the k leading principal scores c = U^T (x - mean) of the images:

(5) z = cos(Omega c + b), Omega (D, k) with Omega^T Omega = a I exactly, since k <= D, and `a` such
    that the rows' omega^T c have standard deviation pi/8: with b ~ U[pi/4, 3 pi/4] the phase
    rarely leaves [0, pi]. The factor sqrt(2/D) cancels in (8).
(6) Sigma_D = covariance of z, and its mean
(7) e = L u
(8) h = Omega^T (q - E q) / a, q = arccos(clip(mean z + e)): the mean of the features is added back
    before arccos, and the mean that results is taken off after.

Then x = U h, divided to unit variance a pixel, the rest of the variance being white noise. E q and
the covariance of h come in closed form from `arccos`, so nothing is left to measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi, sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.errors import UsageError
from strokediff.noise.arccos import arccos_law
from strokediff.noise.base import Batches, generator
from strokediff.noise.factor import FactorNoise, factor_tensors
from strokediff.noise.linear import Spread, products
from strokediff.noise.statistics import (
    Principal,
    RunningCovariance,
    cholesky,
    principal_of,
)

PHASE_DEVIATION = pi / 8


class CalibratedFourierNoise(FactorNoise):
    """Random-Fourier-feature noise of zero mean and unit variance a pixel; see `FactorNoise`.

    It is not Gaussian, since arccos is not linear; its covariance is known exactly all the same,
    so `whiten` gives covariance I.

    >>> x = torch.randn(32, 8, 8, generator=torch.Generator().manual_seed(0)).cumsum(1) / 8
    >>> noise = CalibratedFourierNoise.fit(lambda: [(x, torch.ones_like(x))], D=32, rank=4)
    >>> eps = noise.draw([1], (1, 8, 8))
    >>> eps.shape, noise.moments((1, 8, 8)).variance.unique().tolist()
    (torch.Size([1, 1, 8, 8]), [1.0])
    """

    name: ClassVar[str] = "calibrated"
    symmetric: ClassVar[bool] = False

    @classmethod
    def fit(
        cls,
        batches: Batches,
        *,
        D: int = 1024,
        rank: int = 256,
        shrinkage: float = 0.0,
        margin: int = 0,
        seed: int = 0,
    ) -> CalibratedFourierNoise:
        """One pass for the features after those of the principal components.

        `rank` is k, `margin` widens the support by so many pixels of white noise. `UsageError`
        if rank > D, where Omega cannot have orthogonal columns.
        """
        if rank > D:
            raise UsageError(f"expected a rank of at most D = {D}, got {rank}.")
        found = principal_of(batches, rank, seed)
        omega, b, a = _frequencies(D, found.eigenvalues, seed)
        statistics = RunningCovariance(D)
        for x, m in batches():
            centred = (x * m).float().cpu()[:, found.brain] - found.mean
            statistics.update(torch.cos(centred @ found.components @ omega.T + b))
        tensors = _reduced(found, omega, a, statistics, shrinkage, margin)
        settings = {
            "D": D,
            "rank": rank,
            "shrinkage": shrinkage,
            "margin": margin,
            "seed": seed,
        }
        return cls(settings, tensors)

    @classmethod
    def load(
        cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> CalibratedFourierNoise:
        """Undo `settings` and `tensors`."""
        return cls(settings, tensors)

    def _coefficients(
        self, sources: Sequence[torch.Generator], device: torch.device, spread: Spread
    ) -> list[Tensor]:
        L, mean_z, mean_q, back = (self._tensors[key] for key in ("L", "mean_z", "mean_q", "back"))
        u = [torch.randn(len(L), generator=source).to(device) for source in sources]
        q = [torch.arccos((mean_z + e).clamp(-1, 1)) - mean_q for e in products(L, u, spread)]
        return list(products(back, q, spread))


def _frequencies(D: int, eigenvalues: Tensor, seed: int) -> tuple[Tensor, Tensor, float]:
    """Omega (D, k), b (D,) and a: Omega^T Omega = a I, mean variance of omega^T c (pi/8)^2."""
    source = generator(seed)
    b = torch.rand(D, generator=source) * (pi / 2) + pi / 4
    q, _ = torch.linalg.qr(torch.randn(D, len(eigenvalues), generator=source))
    a = PHASE_DEVIATION**2 * D / float(eigenvalues.sum().clamp(min=1e-12))
    return q * sqrt(a), b, a


def _reduced(
    found: Principal,
    omega: Tensor,
    a: float,
    statistics: RunningCovariance,
    shrinkage: float,
    margin: int,
) -> dict[str, Tensor]:
    """Tensors: L and the means of (7) and (8), `back` from q to k coefficients, and G.

    With K = R R^T the covariance of h, `back` = R^-1 Omega^T / a gives coefficients of
    covariance I, and G is made of U R.
    """
    L = cholesky(statistics.covariance)
    deviation = L.square().sum(1).sqrt()
    law = arccos_law(statistics.mean, deviation)
    spread = law.covariance((L @ L.T) / deviation[:, None] / deviation)
    to_h = omega.double().T / a
    root = cholesky(to_h @ spread @ to_h.T)
    back = torch.linalg.solve_triangular(root, to_h, upper=False)
    return {
        "L": L.float(),
        "mean_z": statistics.mean.float(),
        "mean_q": law.mean.float(),
        "back": back.float(),
        **factor_tensors(found, root.float(), shrinkage, margin),
    }
