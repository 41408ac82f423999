"""The square root of a covariance Sigma = G G^T + Psi, and its inverse, without any d x d matrix.

With H = Psi^-1/2 G and the Cholesky factor C C^T = I + H^T H (k x k), Woodbury's identity
Sigma^-1 = Psi^-1/2 (I - H (C C^T)^-1 H^T) Psi^-1/2 has the square root of Andrews (1968)

    V = (I - H (C^T + I)^-1 C^-1 H^T) Psi^-1/2,       V^T V = Sigma^-1,
    V^-1 = Psi^1/2 (I + H (C + I)^-1 H^T),

which costs O(p k^2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SquareRoot:
    """V of the pixels inside one mask, for flat images (d,)."""

    H: Tensor
    C: Tensor
    psi: Tensor
    mask: Tensor
    pixels: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, basis: Tensor, psi: Tensor, mask: Tensor, pixels: Tensor) -> SquareRoot:
        """From G (p, k), psi and mask (d,), and the p pixels' places among the d."""
        H = basis.float() * (mask / psi.sqrt())[pixels, None]
        eye = torch.eye(H.shape[1], dtype=torch.float64, device=H.device)
        return cls(H, torch.linalg.cholesky((H.T @ H).double() + eye), psi, mask, pixels)

    def whiten(self, eps: Tensor) -> Tensor:
        """V eps."""
        z = eps * self.mask / self.psi.sqrt()
        eye = torch.eye(len(self.C), dtype=self.C.dtype, device=self.C.device)
        inner = (self.H.T @ z[self.pixels]).double()[:, None]
        inner = torch.linalg.solve_triangular(self.C, inner, upper=False)
        inner = torch.linalg.solve_triangular(self.C.T + eye, inner, upper=True)
        return z.index_add(0, self.pixels, self.H @ inner[:, 0].float(), alpha=-1)

    def colour(self, z: Tensor) -> Tensor:
        """V^-1 z."""
        z = z * self.mask
        eye = torch.eye(len(self.C), dtype=self.C.dtype, device=self.C.device)
        inner = (self.H.T @ z[self.pixels]).double()[:, None]
        inner = torch.linalg.solve_triangular(self.C + eye, inner, upper=False)
        return self.psi.sqrt() * z.index_add(0, self.pixels, self.H @ inner[:, 0].float())
