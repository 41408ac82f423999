"""A small cohort of correlated images, and every noise model fitted on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from strokediff.noise.base import Batches, NoiseModel
from strokediff.noise.registry import NOISE_MODELS

SIDE = 20
SHAPE = (1, SIDE, SIDE)
SETTINGS: dict[str, dict[str, Any]] = {
    "isotropic": {},
    "fourier": {"D": 200},
    "fourier-standardised": {"D": 200},
    "calibrated": {"D": 96, "rank": 24, "shrinkage": 0.05},
    "low-rank": {"rank": 24, "shrinkage": 0.3},
    "scanner": {"shrinkage": 0.2},
    "scanner-low-rank": {"rank": 24, "share": 0.3, "shrinkage": 0.2},
}
WHITENING = ("isotropic", "calibrated", "low-rank", "scanner", "scanner-low-rank")
FACTORS = ("calibrated", "low-rank")


@dataclass(frozen=True)
class Images:
    """Slices x, m (N, H, W) that are smooth fields around a fixed pattern."""

    x: Tensor
    m: Tensor

    def batches(self, size: int = 16) -> Batches:
        return lambda: zip(self.x.split(size), self.m.split(size), strict=True)

    @property
    def brain(self) -> Tensor:
        return self.m.any(0)

    def covariance(self) -> Tensor:
        """Dense, of the pixels where there is ever brain, by X J as the paper writes it."""
        n = len(self.x)
        X = (self.x * self.m)[:, self.brain].double().T
        J = n**-1.5 * (n * torch.eye(n) - torch.ones(n, n)).double()
        return X @ J @ J.T @ X.T

    def correlation(self) -> Tensor:
        covariance = self.covariance()
        deviation = covariance.diagonal().sqrt()
        return covariance / deviation[:, None] / deviation


def make_images(n: int = 90) -> Images:
    g = torch.Generator().manual_seed(3)
    white = torch.randn(n, 1, SIDE, SIDE, generator=g)
    smooth = F.avg_pool2d(F.avg_pool2d(white, 5, 1, 2), 3, 1, 1)[:, 0]
    rows = torch.arange(SIDE) - SIDE / 2 + 0.5
    radius = (rows[:, None] ** 2 / 64 + rows[None] ** 2 / 36).sqrt()
    pattern = 0.3 * torch.cos(4 * radius)
    m = (radius + 0.15 * torch.rand(n, 1, 1, generator=g) < 1).float()
    return Images(((pattern + 1.5 * smooth).clamp(-1, 1)) * m, m)


@pytest.fixture(scope="session")
def images() -> Images:
    return make_images()


def share_clipped(mean: Tensor, L: Tensor) -> float:
    """Of arguments mean + L u of arccos, those outside [-1, 1]."""
    u = torch.randn(2000, len(L), generator=torch.Generator().manual_seed(0))
    return float(((mean + u @ L.T).abs() > 1).float().mean())


Fit = Callable[..., Any]


@pytest.fixture(scope="session")
def fit(images: Images) -> Fit:
    """`fit(name, **changes)`: the model of that name with the suite's settings."""

    def make(name: str, **changes: Any) -> NoiseModel:
        return NOISE_MODELS[name].fit(images.batches(), **{**SETTINGS[name], **changes})

    return make


@pytest.fixture(scope="session")
def models(fit: Fit) -> dict[str, Any]:
    return {name: fit(name) for name in NOISE_MODELS}
