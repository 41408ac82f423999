"""Noise with the covariance of a CT scanner's: stationary, white noise behind ramp and kernel.

Filtered back-projection takes white noise of the projections through the ramp |f| and through the
kernel, whose transfer function is taken as exp(-(f / c)^2); with a share lambda of white noise

    S(f) = (1 - lambda) s(f) / mean(s) + lambda,      s(f) = |f| exp(-2 (f / c)^2),

f in cycles a pixel, is the power spectrum, whose mean is 1: every pixel has unit variance. A draw
is one FFT of white frequencies times sqrt(S), on a torus as large as the slice. One number is
fitted, the cutoff c. Slices are drawn each for itself, as all noise here is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from strokediff.errors import InputError, UsageError
from strokediff.noise.base import CPU, Batches, Moments, generator
from strokediff.noise.linear import Spread, workers
from strokediff.noise.roughness import roughness
from strokediff.noise.stationary import amplitude, filtered, inverse_root, of_frequencies

STEPS = (1, 2, 3)
"""Pixels between the points of second differences: what is fitted is how the three differ."""
FITTED_ON = 64
"""Side of the grid on which the spectrum is compared with what was found."""
CUTOFFS = (0.05, 2.0)
TRIED = 400
LEAST_PIXELS = 4


class ScannerNoise:
    """N(0, Sigma), Sigma circulant with the spectrum S, on a grid of any size.

    >>> x = ScannerNoise.of(cutoff=0.3).draw(range(32), (1, 64, 64))[:, 0]
    >>> noise = ScannerNoise.fit(lambda: [(x, torch.ones_like(x))])
    >>> round(noise.cutoff, 1), noise.draw([1], (1, 8, 8)).shape
    (0.3, torch.Size([1, 1, 8, 8]))
    """

    name: ClassVar[str] = "scanner"
    symmetric: ClassVar[bool] = True
    derived: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self._settings = dict(settings)
        self._tensors = dict(tensors)
        self.shrinkage = float(settings["shrinkage"])
        self.cutoff = float(tensors["cutoff"])
        if not 0 <= self.shrinkage <= 1:
            raise UsageError(f"expected a shrinkage from 0 to 1 (white), got {self.shrinkage}.")
        if not CUTOFFS[0] <= self.cutoff <= CUTOFFS[1]:
            raise ValueError(f"expected a cutoff of {CUTOFFS[0]} to {CUTOFFS[1]} cycles a pixel")

    @classmethod
    def of(cls, cutoff: float, shrinkage: float = 0.1) -> ScannerNoise:
        """That of a kernel: its cutoff in cycles a pixel, 0.05 to 2."""
        held = torch.tensor(cutoff, dtype=torch.float64)
        return cls({"shrinkage": shrinkage}, {"cutoff": held})

    @classmethod
    def fit(cls, batches: Batches, *, shrinkage: float = 0.1) -> ScannerNoise:
        """The cutoff whose noise is as rough over two pixels and three, beside one, as the slices.

        Of every slice the median |second difference| is taken in its mask, over each distance,
        where edges, lesions and what is smooth hardly count. c is where the spectrum is nearest to
        the medians of all slices' ratios, in squares of logarithms. No truth is needed. Raises
        `InputError` where no slice shows enough brain.
        """
        found = [ratios for x, m in batches() for ratios in _ratios(x, m)]
        if not found:
            raise InputError(
                "noise cannot be fitted: no slice shows brain of 7 x 7 pixels and more. Give a "
                "cohort of heads."
            )
        wanted = torch.stack(found).median(0).values.log()
        low, high = (math.log(c) for c in CUTOFFS)
        tried = [cls.of(math.exp(c), shrinkage) for c in np.linspace(low, high, TRIED)]
        return min(tried, key=lambda one: float((_expected(one).log() - wanted).square().sum()))

    @classmethod
    def load(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ScannerNoise:
        """Undo `settings` and `tensors`."""
        return cls(settings, tensors)

    def settings(self) -> dict[str, Any]:
        """What `fit` was asked for."""
        return dict(self._settings)

    def tensors(self) -> dict[str, Tensor]:
        """The cutoff, cycles a pixel."""
        return dict(self._tensors)

    def spectrum(self, height: int, width: int) -> Tensor:
        """S on the frequencies of `torch.fft.rfft2`, (height, width // 2 + 1) float64."""
        down = torch.fft.fftfreq(height, dtype=torch.float64)
        across = torch.fft.fftfreq(width, dtype=torch.float64)
        f = (down[:, None].square() + across.square()).sqrt()
        s = f * (-2 * (f / self.cutoff).square()).exp()
        whole: Tensor = (1 - self.shrinkage) * s / s.mean() + self.shrinkage
        return whole[:, : width // 2 + 1]

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        """Noise of shape (len(seeds), *shape), float32 on `device`; one FFT a sample."""
        with workers(device) as spread:
            return self.drawn([generator(seed) for seed in seeds], shape, device, spread)

    def drawn(
        self,
        sources: Sequence[torch.Generator],
        shape: tuple[int, int, int],
        device: torch.device,
        spread: Spread,
    ) -> Tensor:
        """As `draw`, from one generator a sample."""
        channels, height, width = shape
        root = amplitude(self.spectrum(height, width), width).to(device, torch.float32)

        def one(source: torch.Generator) -> Tensor:
            white = torch.randn(channels, *root.shape, 2, generator=source)
            return of_frequencies(torch.view_as_complex(white).to(device) * root, (height, width))

        return torch.stack(spread(one, sources))

    def moments(self, shape: tuple[int, int, int]) -> Moments:
        """Mean 0 and variance 1."""
        return Moments(torch.zeros(shape[1:]), torch.ones(shape[1:]))

    def whiten(self, eps: Tensor, m: Tensor | None = None) -> Tensor:
        """Sigma^-1/2 eps for eps (B, 1, H, W), Sigma that of the pixels inside m; differentiable.

        Without a mask by one FFT; inside one by a polynomial of products with Sigma, an FFT each
        (`inverse_root`), to 1e-5 of what it is. Raises `UsageError` without white noise.
        """
        spectrum = self.spectrum(*eps.shape[-2:]).to(eps)
        if not self.shrinkage > 0:
            raise UsageError(
                "scanner noise of shrinkage 0 cannot be whitened: it has no power at frequency 0. "
                "Fit it with a shrinkage above 0, e.g. 0.1."
            )
        if m is None:
            return filtered(eps, spectrum.rsqrt())
        low, high = float(spectrum.min()), float(spectrum.max())
        return inverse_root(lambda e: m * filtered(e, spectrum), eps * m, low, high)


def _ratios(x: Tensor, m: Tensor) -> Iterator[Tensor]:
    """Of each slice (B, H, W): the median second differences over 2, 3 pixels by that over 1."""
    for median, pixels in zip(*roughness(x.double(), m, STEPS), strict=True):
        if int(pixels) >= LEAST_PIXELS and bool((median > 0).all()):
            yield median[1:] / median[0]


def _expected(noise: ScannerNoise) -> Tensor:
    """What `_ratios` tends to: of Gaussian noise medians go as standard deviations."""
    spectrum = noise.spectrum(FITTED_ON, FITTED_ON)
    down, across = (of(FITTED_ON) for of in (torch.fft.fftfreq, torch.fft.rfftfreq))
    twice = torch.where((across == 0) | (across == 0.5), 1.0, 2.0)
    power = []
    for step in STEPS:
        gain = [(2 - 2 * (2 * math.pi * step * f).cos()).square() for f in (down, across)]
        power.append((spectrum * gain[0][:, None] * gain[1] * twice).sum())
    return torch.stack([(one / power[0]).sqrt() for one in power[1:]])
