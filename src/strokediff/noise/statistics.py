"""What noise models learn from a cohort in batches: moments, and principal components.

No pass holds more than one batch. Moments are free of cancellation; the components come from a
randomised singular value decomposition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from strokediff.errors import InputError
from strokediff.noise.base import Batches, generator

OVERSAMPLE = 16
POWER = 3


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
        result = torch.linalg.cholesky_ex(covariance + scale * jitter * eye)
        if not bool(result.info):
            found: Tensor = result.L
            return found
    raise ValueError("expected a covariance, got a matrix that is far from positive definite")


@dataclass(frozen=True)
class Principal:
    """Sample covariance of the centred slices, S = U diag(eigenvalues) U^T + the rest.

    `brain` (H, W) bool says which p pixels are meant: those with brain in any slice. `mean` and
    `variance` (p,) are of these pixels, the variance being the whole of it; `components` U is
    (p, r) with U^T U = I, `eigenvalues` (r,) falls. `count` slices were seen.
    """

    brain: Tensor
    mean: Tensor
    variance: Tensor
    components: Tensor
    eigenvalues: Tensor
    count: int


def principal_of(batches: Batches, rank: int, seed: int = 0) -> Principal:
    """Halko, Martinsson and Tropp (2011): subspace iteration on X J from a random start.

    Holds p x (rank + 16) numbers and one batch; goes over the cohort POWER + 2 times. The rank
    is lowered to what N slices allow, N - 1. `InputError` where there is nothing to learn from.
    """
    pixels = RunningVariance()
    for x, m in batches():
        pixels.update(x * m, m)
    brain = pixels.brain
    if pixels.count < 2 or not bool(brain.any()):
        raise InputError(
            f"noise cannot be fitted: found {pixels.count} slices that show brain, expected at "
            "least 2. Prepare a cohort with more training patients."
        )
    mean = pixels.mean[brain].float()
    p = len(mean)
    rank = min(rank, pixels.count - 1, p)
    size = min(rank + OVERSAMPLE, p)

    def centred() -> Iterator[Tensor]:
        for x, m in batches():
            yield (x * m).float().cpu()[:, brain] - mean

    basis = _orthonormal(torch.randn(p, size, generator=generator(seed)))
    for _ in range(POWER):
        image = torch.zeros(p, size)
        for x in centred():
            image.addmm_(x.T, x @ basis)
        basis = _orthonormal(image)
    reduced = torch.zeros(size, size, dtype=torch.float64)
    for x in centred():
        scores = (x @ basis).double()
        reduced.addmm_(scores.T, scores)
    values, vectors = torch.linalg.eigh(reduced / pixels.count)
    best = torch.arange(size - 1, size - 1 - rank, -1)
    return Principal(
        brain=brain,
        mean=mean,
        variance=pixels.variance[brain].float(),
        components=_signed(basis @ vectors[:, best].float()),
        eigenvalues=values[best].clamp(min=0).float(),
        count=pixels.count,
    )


def _signed(columns: Tensor) -> Tensor:
    """Each column with its largest entry positive: rounding must not choose the sign."""
    largest = columns.gather(0, columns.abs().argmax(0, keepdim=True))
    return torch.where(largest < 0, -columns, columns)


def _orthonormal(columns: Tensor) -> Tensor:
    q: Tensor = torch.linalg.qr(columns).Q
    return q
