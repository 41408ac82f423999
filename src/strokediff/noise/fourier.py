"""SADPM's noise as printed, equations (5)-(8): nothing is mended.

(5) z(x) = sqrt(2/D) cos(W x + b), rows of W ~ N(0, pi/(4D) I), b ~ U[pi/4, 3 pi/4]
(6) Sigma_D = Z J J^T Z^T
(7) eps_A = L u, Sigma_D = L L^T
(8) eps = W^T (arccos(sqrt(D/2) eps_A) - b), the argument clipped to [-1, 1]

What comes out is not zero-mean (eps_A is centred, so W^T (pi/2 - b) stays), not of unit variance
and nearly white (W^T W is near I for D >= d only). `calibrated` mends this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi, sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from strokediff.errors import InputError
from strokediff.noise.arccos import ArccosLaw, arccos_law
from strokediff.noise.base import CPU, Batches, Moments, check_shape, generator, with_margin
from strokediff.noise.linear import products, workers
from strokediff.noise.statistics import RunningCovariance, cholesky

COLUMNS = 4096


class FourierNoise:
    """Random-Fourier-feature noise; zero where no slice of the cohort shows brain.

    W is (D, d), d = H W, and only one copy of it exists: drawing on a device moves it there. It
    is made again from its seed when the model is loaded, so that no file need hold it.

    >>> x = torch.randn(32, 8, 8, generator=torch.Generator().manual_seed(0)).cumsum(1) / 8
    >>> noise = FourierNoise.fit(lambda: [(x, torch.ones_like(x))], D=100)
    >>> noise.draw([1], (1, 8, 8)).shape
    torch.Size([1, 1, 8, 8])
    >>> bool(noise.moments((1, 8, 8)).variance.mean() < 0.1)  # that of isotropic noise is 1
    True
    """

    name: ClassVar[str] = "fourier"
    symmetric: ClassVar[bool] = False
    derived: ClassVar[tuple[str, ...]] = ("W",)

    def __init__(self, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self._settings = dict(settings)
        self._tensors = {name: value.contiguous() for name, value in tensors.items()}

    @classmethod
    def fit(
        cls, batches: Batches, *, D: int = 3000, margin: int = 0, seed: int = 0
    ) -> FourierNoise:
        """One pass over the cohort; it holds W, Sigma_D and the features of one batch.

        `margin` widens the support, outside which the draw is cut to 0, by so many pixels.
        """
        W, b = torch.empty(0), torch.empty(0)
        statistics = RunningCovariance(D)
        support = torch.zeros((), dtype=torch.bool)
        for x, m in batches():
            if not len(W):
                W, b = _frequencies(D, x[0].numel(), seed)
            statistics.update(_features(x * m, W, b))
            support = support | (m.cpu() > 0).any(0)
        if not len(W):
            raise InputError(
                "noise cannot be fitted: found no slice that shows brain. Prepare a cohort with "
                "training patients."
            )
        L = cholesky(statistics.covariance).float()
        return cls(
            {"D": D, "margin": margin, "seed": seed},
            {"W": W, "b": b, "L": L, "support": with_margin(support, margin)},
        )

    @classmethod
    def load(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> FourierNoise:
        """Undo `settings` and `tensors`, making W again where it is not among them."""
        if "W" in tensors:
            return cls(settings, tensors)
        W, _ = _frequencies(len(tensors["b"]), tensors["support"].numel(), settings["seed"])
        return cls(settings, {"W": W, **tensors})

    def settings(self) -> dict[str, Any]:
        """What `fit` was asked for; the seed is that of W and b."""
        return dict(self._settings)

    def tensors(self) -> dict[str, Tensor]:
        """W (D, d), b (D,), L (D, D) and the support (H, W)."""
        return dict(self._tensors)

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        """Equations (7) and (8), one seed a sample; (len(seeds), 1, H, W) float32 on `device`."""
        check_shape(self.name, self._grid, shape)
        for name in list(self._tensors):
            self._tensors[name] = self._tensors[name].to(device)
        W, b, L, support = (self._tensors[key] for key in ("W", "b", "L", "support"))
        with workers(device) as spread:
            u = [torch.randn(len(b), generator=generator(seed)).to(device) for seed in seeds]
            eps_A = products(L, u, spread)
            phases = [torch.arccos((sqrt(len(b) / 2) * e).clamp(-1, 1)) - b for e in eps_A]
            x = products(W.T, phases, spread)
        return (x * support.flatten()).reshape(len(seeds), *shape)

    def moments(self, shape: tuple[int, int, int]) -> Moments:
        """Closed form: W^T (E a - b) and the diagonal of W^T cov(a) W; D^2 d operations."""
        check_shape(self.name, self._grid, shape)
        law, covariance = self._arccos()
        W, b, support = (self._tensors[key].cpu() for key in ("W", "b", "support"))
        mean = W.T @ (law.mean - b.double()).float()
        parts = torch.split(W, COLUMNS, dim=1)
        variance = [(part * (covariance.float() @ part)).sum(0) for part in parts]
        inside = support.flatten().float()
        return Moments(
            (mean * inside).reshape(shape[1:]), (torch.cat(variance) * inside).reshape(shape[1:])
        )

    def covariance(self) -> Tensor:
        """The dense covariance W^T cov(a) W of the supported pixels: for small images."""
        W = self._tensors["W"].cpu()[:, self._tensors["support"].cpu().flatten() > 0].double()
        return W.T @ self._arccos()[1] @ W

    def _arccos(self) -> tuple[ArccosLaw, Tensor]:
        L = self._tensors["L"].cpu().double()
        covariance = L @ L.T * (len(L) / 2)
        deviation = covariance.diagonal().sqrt()
        law = arccos_law(torch.zeros_like(deviation), deviation)
        return law, law.covariance(covariance / deviation[:, None] / deviation)

    @property
    def _grid(self) -> tuple[int, int]:
        height, width = self._tensors["support"].shape
        return height, width


def _frequencies(D: int, d: int, seed: int) -> tuple[Tensor, Tensor]:
    """W (D, d) of variance pi/(4D), and b (D,) on [pi/4, 3 pi/4]."""
    source = generator(seed)
    b = torch.rand(D, generator=source) * (pi / 2) + pi / 4
    return torch.empty(D, d).normal_(generator=source).mul_(sqrt(pi / (4 * D))), b


def _features(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """Equation (5), (B, D)."""
    return sqrt(2 / len(b)) * torch.cos(x.cpu().flatten(1).float() @ W.T + b)
