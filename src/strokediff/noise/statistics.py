"""Mean and covariance of vectors that pass by in batches, free of cancellation."""

from __future__ import annotations

import torch
from torch import Tensor


class RunningCovariance:
    """Mean (n,) and covariance (n, n) in float64; of all vectors, only their sums are held.

    The covariance is Z J J^T Z^T with J = N^(-3/2) (N I - 1 1^T), equation (6) of SADPM, which
    is (1/N) sum (z - mean)(z - mean)^T: J J^T = (I - 1 1^T / N) / N. Batches are merged by the
    pairwise update of Chan, Golub and LeVeque (1979).
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = torch.zeros(size, dtype=torch.float64)
        self._scatter = torch.zeros(size, size, dtype=torch.float64)

    def update(self, z: Tensor) -> None:
        """Take in a batch (B, n)."""
        z = z.double().cpu()
        mean, n = z.mean(0), len(z)
        centred = z - mean
        self._scatter.addmm_(centred.T, centred)
        gap = mean - self.mean
        total = self.count + n
        self._scatter.addr_(gap, gap, alpha=self.count * n / total)
        self.mean += gap * (n / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """(n, n) float64."""
        return self._scatter / max(self.count, 1)


class RunningVariance:
    """Mean and variance of each pixel (H, W), float64, and where any mask was set."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self._scatter = torch.zeros(())
        self.brain = torch.zeros((), dtype=torch.bool)

    def update(self, x: Tensor, m: Tensor) -> None:
        """Take in images and masks (B, H, W)."""
        x = x.double().cpu()
        mean, n = x.mean(0), len(x)
        gap = mean - self.mean
        total = self.count + n
        self._scatter = (
            self._scatter + (x - mean).square().sum(0) + gap**2 * (self.count * n / total)
        )
        self.mean = self.mean + gap * (n / total)
        self.brain = self.brain | (m.cpu() > 0).any(0)
        self.count = total

    @property
    def variance(self) -> Tensor:
        """(H, W) float64."""
        return self._scatter / max(self.count, 1)


def cholesky(covariance: Tensor) -> Tensor:
    """L with L L^T = covariance, float64.

    With fewer images than features the covariance is singular; where that stops float64, 1e-9 of
    the mean variance is added to the diagonal, tenfold more until it does not.
    """
    scale = float(covariance.diagonal().mean()) or 1.0
    eye = torch.eye(len(covariance), dtype=covariance.dtype)
    for jitter in (0.0, *(10.0**power for power in range(-9, 0))):
        factor, failed = torch.linalg.cholesky_ex(covariance + scale * jitter * eye)
        if not bool(failed):
            return factor
    raise ValueError("expected a covariance, got a matrix that is far from positive definite")
