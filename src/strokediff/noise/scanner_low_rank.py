"""Noise of anatomy and scanner together: low rank, and what it leaves filled by the scanner's.

    Sigma = G G^T + Psi^1/2 S Psi^1/2,      Psi = diag(1 - |G_i|^2),

G (p, k) the images' components as `LowRankNoise` has them, scaled so that |G_i|^2 <= 1 - share at
every pixel, and S the circulant covariance of `ScannerNoise`. Both have unit variance, so the sum
has too, exactly; the scanner's part of it is `share` or more, what the rank leaves out included.
With S = I it is `LowRankNoise` of shrinkage `share`, with share 1 it is `ScannerNoise`.

Of the pixels inside a mask m, Sigma_m = Psi^1/2 (S_m + H H^T) Psi^1/2 with H = Psi^-1/2 G. By the
scanner's S_m^-1/2, products by FFT, and K = S_m^-1/2 H, Andrews' root (`factor.py`) goes on as

    V = (I - K (C^T + I)^-1 C^-1 K^T) S_m^-1/2 Psi^-1/2,    C C^T = I + K^T K,    V^T V = Sigma_m^-1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.errors import UsageError
from strokediff.noise.base import Batches
from strokediff.noise.factor import InverseRoot
from strokediff.noise.linear import Spread
from strokediff.noise.low_rank import LowRankNoise
from strokediff.noise.scanner import ScannerNoise
from strokediff.noise.stationary import filtered

COLUMNS = 32
"""Of K made at a time: the transforms of all at once would take many times the memory of K."""


class ScannerLowRankNoise(LowRankNoise):
    """N(0, G G^T + Psi^1/2 S Psi^1/2) inside the support.

    >>> x = ScannerNoise.of(cutoff=0.3).draw(range(32), (1, 16, 16))[:, 0]
    >>> noise = ScannerLowRankNoise.fit(lambda: [(x, torch.ones_like(x))], rank=4, share=0.7)
    >>> noise.draw([1], (1, 16, 16)).shape, noise.moments((1, 16, 16)).variance.unique().tolist()
    (torch.Size([1, 1, 16, 16]), [1.0])
    """

    name: ClassVar[str] = "scanner-low-rank"
    filling: ClassVar[str] = "scanner noise"
    filled_by: ClassVar[str] = "share"

    def __init__(self, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        super().__init__(settings, tensors)
        self._scanner = ScannerNoise(settings, {"cutoff": tensors["cutoff"]})

    @classmethod
    def fit(
        cls,
        batches: Batches,
        *,
        rank: int = 64,
        share: float = 0.5,
        shrinkage: float = 0.1,
        margin: int = 0,
        seed: int = 0,
    ) -> ScannerLowRankNoise:
        """Components and cutoff, each fitted as its own model fits it; no truth is needed.

        `shrinkage` is the white share of S alone. Whitening takes an S_m^-1/2 a component and mask,
        so the rank is lower than that of the other models.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"expected a share from 0 to 1 (the scanner's alone), got {share}.")
        anatomy = LowRankNoise.fit(batches, rank=rank, shrinkage=share, margin=margin, seed=seed)
        scanner = ScannerNoise.fit(batches, shrinkage=shrinkage)
        settings = {**anatomy.settings(), "share": share, "shrinkage": shrinkage}
        return cls(settings, {**anatomy.tensors(), **scanner.tensors()})

    @classmethod
    def load(
        cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> ScannerLowRankNoise:
        """Undo `settings` and `tensors`."""
        return cls(settings, tensors)

    def covariance(self) -> Tensor:
        """G G^T + Psi^1/2 S Psi^1/2 of the supported pixels, dense float64: for small images."""
        height, width = self._grid
        where, G = self._where.cpu(), self._dense()
        unit = torch.eye(height * width, dtype=torch.float64).reshape(-1, height, width)[where]
        S = filtered(unit, self._scanner.spectrum(height, width)).flatten(1)[:, where]
        root = (1 - G.square().sum(1)).sqrt()
        return G @ G.T + root[:, None] * S * root

    def whiten(self, eps: Tensor, m: Tensor | None = None) -> Tensor:
        """V eps inside m, for eps (B, 1, H, W); differentiable in eps.

        K is made once for all slices of one mask. Raises `UsageError` where some pixels hold no
        noise of the scanner's, or that holds no white noise.
        """
        self._place(eps.device)
        if m is None:
            m = self._tensors["support"].expand(len(eps), 1, -1, -1)
        m, psi = m.to(eps), self._psi()
        z = self._scanner.whiten(eps / psi.sqrt().reshape(self._grid), m).flatten(1)
        masks, which = m.flatten(1).unique(dim=0, return_inverse=True)
        roots = [self._root(psi, mask) for mask in masks]
        rows = [roots[i].times(row) for i, row in zip(which.tolist(), z, strict=True)]
        return torch.stack(rows).reshape(eps.shape)

    def _fill(
        self, sources: Sequence[torch.Generator], device: torch.device, spread: Spread
    ) -> Tensor:
        drawn = self._scanner.drawn(sources, (1, *self._grid), device, spread)
        return drawn.flatten(1)[:, self._where]

    @torch.no_grad()
    def _root(self, psi: Tensor, mask: Tensor) -> InverseRoot:
        """Of I + K K^T, for the pixels inside the mask."""
        H = torch.zeros(len(mask), self._tensors["basis"].shape[1], device=mask.device)
        H[self._pixels] = self._tensors["basis"].float() / psi.sqrt()[self._pixels, None]
        columns = H.T.reshape(-1, 1, *self._grid)
        parts = [
            self._scanner.whiten(part, mask.reshape(self._grid)) for part in columns.split(COLUMNS)
        ]
        inside = mask.nonzero()[:, 0]
        return InverseRoot.of(torch.cat(parts).flatten(1)[:, inside].T.contiguous(), inside)
