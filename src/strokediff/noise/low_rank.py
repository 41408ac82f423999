"""Noise with the images' own covariance: low rank, shrunk towards white noise.

X J u with u ~ N(0, I_N) and J = N^(-3/2) (N I - 1 1^T) is an exact draw from the covariance
S = X J J^T X^T of the images, equation (6) without features: no arccos and no Cholesky. With the
singular value decomposition X J = U diag(s) Q^T, U diag(s) u with u ~ N(0, I_r) has the same law
at full rank, and the best approximation to it at rank r.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.noise.base import Batches
from strokediff.noise.factor import FactorNoise, factor_tensors
from strokediff.noise.linear import Spread
from strokediff.noise.statistics import principal_of


class LowRankNoise(FactorNoise):
    """N(0, (1 - shrinkage) C + shrinkage I), C the correlation of the images at rank r.

    What lies beyond the rank r stays in C as white noise, so C has a unit diagonal; see
    `FactorNoise`. The noise is Gaussian, and a draw costs O(d r).

    >>> x = torch.randn(32, 8, 8, generator=torch.Generator().manual_seed(0)).cumsum(1) / 8
    >>> noise = LowRankNoise.fit(lambda: [(x, torch.ones_like(x))], rank=4)
    >>> eps = noise.draw([1], (1, 8, 8))
    >>> eps.shape, noise.moments((1, 8, 8)).variance.unique().tolist()
    (torch.Size([1, 1, 8, 8]), [1.0])
    """

    name: ClassVar[str] = "low-rank"
    symmetric: ClassVar[bool] = True

    @classmethod
    def fit(
        cls,
        batches: Batches,
        *,
        rank: int = 256,
        shrinkage: float = 0.1,
        margin: int = 0,
        seed: int = 0,
    ) -> LowRankNoise:
        """Randomised SVD of the centred images (pixels 0 outside the brain).

        `margin` widens the support by so many pixels of white noise; `seed` starts the SVD.
        """
        found = principal_of(batches, rank, seed)
        tensors = factor_tensors(found, found.eigenvalues.sqrt().diag(), shrinkage, margin)
        settings = {"rank": rank, "shrinkage": shrinkage, "margin": margin, "seed": seed}
        return cls(settings, tensors)

    @classmethod
    def load(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> LowRankNoise:
        """Undo `settings` and `tensors`."""
        return cls(settings, tensors)

    def _coefficients(
        self, sources: Sequence[torch.Generator], device: torch.device, spread: Spread
    ) -> list[Tensor]:
        rank = self._tensors["basis"].shape[1]
        return [torch.randn(rank, generator=source).to(device) for source in sources]
