"""Noise with covariance Sigma = G G^T + Psi: k correlated directions and white noise.

G is (p, k) over the brain's p pixels and Psi = diag(1 - |G_i|^2), so that every pixel has unit
variance exactly. G is held in float16; Psi is made from the rounded G, so nothing is lost by it.
Around the brain, inside the support, Sigma is the identity; outside the support it is 0.

Sigma^-1 has a square root without any d x d matrix. With H = Psi^-1/2 G and the
Cholesky factor C C^T = I + H^T H (k x k), Woodbury's identity
Sigma^-1 = Psi^-1/2 (I - H (C C^T)^-1 H^T) Psi^-1/2 has the square root of Andrews (1968)

    V = (I - H (C^T + I)^-1 C^-1 H^T) Psi^-1/2,       V^T V = Sigma^-1,

which costs O(p k^2). A subclass may fill with other noise of unit variance than white.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.errors import UsageError
from strokediff.noise.base import CPU, Moments, check_shape, generator, with_margin
from strokediff.noise.linear import Spread, products, workers
from strokediff.noise.statistics import Principal

SMALLEST_PSI = 1e-5


def factor_tensors(
    found: Principal, root: Tensor, shrinkage: float, margin: int
) -> dict[str, Tensor]:
    """G, brain and support for reduced coordinates of covariance root root^T in the basis U.

    Pixel i is divided by sqrt(max(v_i, |U_i root|^2)), v_i being the whole variance of the
    images there, so that what U leaves out comes back as white noise; then the correlated part
    is multiplied by sqrt(1 - shrinkage): Sigma = (1 - shrinkage) Sigma_0 + shrinkage I.
    """
    if not 0 <= shrinkage <= 1:
        raise UsageError(f"expected a shrinkage from 0 to 1 (white noise), got {shrinkage}.")
    correlated = found.components @ root
    whole = torch.maximum(found.variance, correlated.square().sum(1))
    scale = ((1 - shrinkage) / whole.clamp(min=1e-12)).sqrt()
    return {
        "basis": (correlated * scale[:, None]).half(),
        "brain": found.brain.byte(),
        "support": with_margin(found.brain, margin),
    }


class FactorNoise(ABC):
    """What the models with such a covariance share; they differ in their k coefficients."""

    name: ClassVar[str]
    derived: ClassVar[tuple[str, ...]] = ()
    filling: ClassVar[str] = "white noise"
    filled_by: ClassVar[str] = "shrinkage"
    """The setting whose rise gives the filling more of the variance."""

    def __init__(self, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self._settings = dict(settings)
        self._tensors = {name: value.contiguous() for name, value in tensors.items()}
        self._white = self._pixels = self._where = torch.empty(0)
        self._place(CPU)

    @abstractmethod
    def _coefficients(
        self, sources: Sequence[torch.Generator], device: torch.device, spread: Spread
    ) -> list[Tensor]:
        """k coefficients of mean 0 and covariance I a sample, one generator each."""

    def _fill(
        self, sources: Sequence[torch.Generator], device: torch.device, spread: Spread
    ) -> Tensor:
        """Noise of unit variance at every supported pixel, a row a sample."""

        def one(source: torch.Generator) -> Tensor:
            return torch.randn(len(self._where), generator=source)

        return torch.stack(spread(one, sources)).to(device)

    def settings(self) -> dict[str, Any]:
        """What `fit` was asked for."""
        return dict(self._settings)

    def tensors(self) -> dict[str, Tensor]:
        """G (p, k) float16, the brain and the support (H, W) uint8, and what coefficients need."""
        return dict(self._tensors)

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        """G h + Psi^1/2 z, one seed a sample; (len(seeds), 1, H, W) float32 on `device`."""
        check_shape(self.name, self._grid, shape)
        self._place(device)
        sources = [generator(seed) for seed in seeds]
        with workers(device) as spread:
            h = self._coefficients(sources, device, spread)
            correlated = products(self._tensors["basis"], h, spread)
            filling = self._fill(sources, device, spread)
        eps = torch.zeros(len(seeds), len(self._white), device=device)
        eps.index_copy_(1, self._where, filling * self._white[self._where])
        eps.index_add_(1, self._pixels, correlated)
        return eps.reshape(len(seeds), *shape)

    def moments(self, shape: tuple[int, int, int]) -> Moments:
        """Mean 0 and, inside the support, variance 1."""
        check_shape(self.name, self._grid, shape)
        support = self._tensors["support"].cpu().float()
        return Moments(torch.zeros_like(support), support)

    def covariance(self) -> Tensor:
        """G G^T + Psi of the supported pixels, dense float64: for small images."""
        G = self._dense()
        return G @ G.T + torch.diag(1 - G.square().sum(1))

    def whiten(self, eps: Tensor, m: Tensor | None = None) -> Tensor:
        """V eps inside m, for eps (B, 1, H, W); differentiable in eps."""
        self._place(eps.device)
        if m is None:
            m = self._tensors["support"].expand(len(eps), 1, -1, -1)
        psi = self._psi()
        rows = [
            self._root(psi, mask.float()).times(value * mask / psi.sqrt())
            for value, mask in zip(eps.flatten(1), m.flatten(1), strict=True)
        ]
        return torch.stack(rows).reshape(eps.shape)

    @torch.no_grad()
    def _root(self, psi: Tensor, mask: Tensor) -> InverseRoot:
        scaled = self._tensors["basis"].float() * (mask / psi.sqrt())[self._pixels, None]
        return InverseRoot.of(scaled, self._pixels)

    def _psi(self) -> Tensor:
        """Psi's diagonal (H W,), 1 outside the brain; `UsageError` if it cannot be undone."""
        psi = torch.ones_like(self._white)
        psi[self._pixels] = self._white[self._pixels] ** 2
        if float(psi.min()) < SMALLEST_PSI:
            raise UsageError(
                f"{self.name} noise of {self.filled_by} {self._settings[self.filled_by]} cannot be "
                f"whitened: some pixels hold no {self.filling}. Fit it with a {self.filled_by} "
                "above 0, e.g. 0.1."
            )
        return psi

    def _dense(self) -> Tensor:
        """G of the supported pixels, float64 on the CPU."""
        everywhere = torch.zeros(len(self._white), self._tensors["basis"].shape[1])
        everywhere[self._pixels.cpu()] = self._tensors["basis"].cpu().float()
        return everywhere[self._tensors["support"].cpu().flatten() > 0].double()

    def _place(self, device: torch.device) -> None:
        """Hold everything on `device`, and there alone."""
        self._tensors = {name: value.to(device) for name, value in self._tensors.items()}
        if self._white.device == self._tensors["basis"].device and len(self._white):
            return
        self._pixels = self._tensors["brain"].flatten().nonzero()[:, 0]
        parts = torch.split(self._tensors["basis"], 8192)
        correlated = torch.cat([part.float().square().sum(1) for part in parts])
        self._where = self._tensors["support"].flatten().nonzero()[:, 0]
        psi = self._tensors["support"].flatten().float()
        psi[self._pixels] -= correlated
        self._white = psi.clamp(min=0).sqrt()

    @property
    def _grid(self) -> tuple[int, int]:
        height, width = self._tensors["support"].shape
        return height, width


@dataclass(frozen=True)
class InverseRoot:
    """A square root of (I + H H^T)^-1 on `pixels` of flat images (d,), and I on the others."""

    H: Tensor
    C: Tensor
    pixels: Tensor

    @classmethod
    def of(cls, H: Tensor, pixels: Tensor) -> InverseRoot:
        """From H (p, k) and the p pixels' places among the d."""
        eye = torch.eye(H.shape[1], dtype=torch.float64, device=H.device)
        return cls(H, torch.linalg.cholesky((H.T @ H).double() + eye), pixels)

    def times(self, z: Tensor) -> Tensor:
        """z - H (C^T + I)^-1 C^-1 H^T z."""
        eye = torch.eye(len(self.C), dtype=self.C.dtype, device=self.C.device)
        inner = (self.H.T @ z[self.pixels]).double()[:, None]
        inner = torch.linalg.solve_triangular(self.C, inner, upper=False)
        inner = torch.linalg.solve_triangular(self.C.T + eye, inner, upper=True)
        return z.index_add(0, self.pixels, self.H @ inner[:, 0].float(), alpha=-1)
