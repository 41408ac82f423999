"""Principal components of a cohort's slices by a randomised SVD that streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from strokediff.errors import InputError
from strokediff.noise.base import Batches, generator
from strokediff.noise.statistics import RunningVariance

OVERSAMPLE = 16
POWER = 3


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


def principal_components(batches: Batches, rank: int, seed: int = 0) -> Principal:
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
    q, _ = torch.linalg.qr(columns)
    return q
