"""What noise is, in figures: the table of every noise model beside the images themselves.

Noise f_n(p), n = 1..N, p a pixel of the support S (where any image shows brain). All figures are
about the support; `mean` is the map (1/N) sum_n f_n, `variance` the unbiased one around it.

    offset_rms   sqrt(mean_S(mean^2) - floor^2), floor^2 = mean_S(variance) / N
    std          sqrt(mean_S(variance))
    correlation  rho(d) = sum_n sum_p g(p) g(p + d) / sqrt(sum g(p)^2 sum g(p + d)^2), g = f - mean,
                 over the pairs that lie in S both
    neighbour    rho over the pairs one row or one column apart
    disc_std     standard deviation of the mean of f over a disc of 49 pixels (DISC_RADIUS) in S,
                 over discs and draws; std / 7 for white noise
    energy(k)    sum_n |U_k^T g_n|^2 / sum_n |g_n|^2, U_k the k first principal directions of the
                 images; k / |S| for white noise
    spectrum     mean_n |F(g_n)|^2 / |S| over rings of frequency; std^2 everywhere for white noise

`floor` is the rms that the mean of N draws shows though there is no offset; it is taken out of
`offset_rms` (never below 0) and stated beside it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from strokediff.noise.base import NoiseModel

COMPONENTS = 50
DISC_RADIUS = 4
"""Pixels: about a small lesion."""
AT_ONCE = 16
"""Draws that are transformed at once."""


@dataclass(frozen=True)
class Components:
    """Principal directions of images: `basis` (|S|, k), orthonormal, largest variance first."""

    support: Tensor
    basis: Tensor


@dataclass(frozen=True)
class Radial:
    """A quantity over distance in pixels, or over frequency in cycles a pixel."""

    at: Tensor
    value: Tensor


@dataclass(frozen=True)
class Measurement:
    """The figures defined above; maps are (H, W), zero outside the support.

    `energy[k - 1]` is energy(k) for k = 1..`components`; `top50_energy` is its last value.
    """

    draws: int
    components: int
    offset_rms: float
    offset_floor: float
    std: float
    neighbour_correlation: float
    disc_std: float
    top50_energy: float
    energy: Tensor
    correlation: Radial
    spectrum: Radial
    support: Tensor
    mean: Tensor
    variance: Tensor


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds a draw of one (1, H, W) field, and bytes of what the model stores."""

    seconds_per_draw: float
    bytes: int


def support_of(masks: Tensor) -> Tensor:
    """(M, H, W) masks -> (H, W) bool, where any of them is set; `ValueError` if none is."""
    support = masks.bool().any(dim=0)
    if not support.any():
        raise ValueError("expected masks with brain in them, got only empty ones")
    return support


def exact_components(images: Tensor, support: Tensor, count: int = COMPONENTS) -> Components:
    """The leading directions of the images' covariance X J J^T X^T inside the support.

    Not by `noise.principal`: what measures the low-rank noise must not share its approximation.
    `images` (M, H, W). Exact, from the smaller of the Gram matrix (M, M) and the covariance
    (|S|, |S|); never H W x H W. M images span M - 1 directions, so `count` is at most that.
    """
    if len(images) < 2:
        raise ValueError(f"expected 2 images or more, got {len(images)}")
    x = images[:, support].float()
    x = x - x.mean(dim=0)
    count = min(count, len(x) - 1, x.shape[1])
    if len(x) < x.shape[1]:
        scale, vectors = torch.linalg.eigh((x @ x.T).double())
        basis = x.T @ vectors[:, -count:].float()
    else:
        scale, vectors = torch.linalg.eigh((x.T @ x).double())
        basis = vectors[:, -count:].float()
    order = torch.arange(count - 1, -1, -1)
    kept = scale[-count:][order] > 1e-6 * scale[-1]
    return Components(support, torch.linalg.qr(basis[:, order[kept]]).Q)


def measure(draws: Tensor, components: Components) -> Measurement:
    """Measure draws (N, H, W), N >= 2, against the images that `components` are of."""
    support = components.support
    if draws.ndim != 3 or draws.shape[1:] != support.shape or len(draws) < 2:
        raise ValueError(
            f"expected 2 draws or more of {tuple(support.shape)}, got {tuple(draws.shape)}"
        )
    mean = draws.double().mean(dim=0) * support
    variance = draws.double().var(dim=0) * support
    floor2 = float(variance[support].mean()) / len(draws)
    offset2 = float((mean[support] ** 2).mean()) - floor2
    energy = _energy(draws, mean, components)
    correlation, spectrum = _radial(draws, mean, support)
    return Measurement(
        draws=len(draws),
        components=len(energy),
        offset_rms=max(0.0, offset2) ** 0.5,
        offset_floor=floor2**0.5,
        std=float(variance[support].mean()) ** 0.5,
        neighbour_correlation=_neighbours(draws, mean, support),
        disc_std=_disc_std(draws, mean, support),
        top50_energy=float(energy[-1]) if len(energy) else 0.0,
        energy=energy,
        correlation=correlation,
        spectrum=spectrum,
        support=support,
        mean=mean.float(),
        variance=variance.float(),
    )


def cost(
    model: NoiseModel,
    shape: tuple[int, int, int],
    *,
    batch: int = 8,
    repeats: int = 3,
    device: torch.device | None = None,
) -> Cost:
    """Seconds of `draw` a sample, the median of `repeats` batches after a first one; and bytes."""
    device = device or torch.device("cpu")
    spent = []
    for k in range(repeats + 1):
        wait_for(device)
        start = time.perf_counter()
        model.draw(range(k * batch, (k + 1) * batch), shape, device)
        wait_for(device)
        spent.append(time.perf_counter() - start)
    return Cost(statistics.median(spent[1:]) / batch, stored_bytes(model))


def stored_bytes(model: NoiseModel) -> int:
    """Bytes of the model's tensors; 0 for one that stores nothing."""
    return sum(t.numel() * t.element_size() for t in model.tensors().values())


def wait_for(device: torch.device) -> None:
    """Until a GPU has done what it was given: clocks are read then."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _centred(draws: Tensor, mean: Tensor, support: Tensor) -> Iterator[Tensor]:
    """Chunks of g = f - mean, zero outside the support."""
    for chunk in draws.split(AT_ONCE):
        yield (chunk - mean.to(chunk)) * support


def _energy(draws: Tensor, mean: Tensor, components: Components) -> Tensor:
    basis = components.basis
    caught = torch.zeros(basis.shape[1], dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for g in _centred(draws, mean, components.support):
        inside = g[:, components.support].to(basis)
        caught += ((inside @ basis) ** 2).sum(dim=0).double()
        total += (inside.double() ** 2).sum()
    return (caught.cumsum(0) / total.clamp(min=torch.finfo(torch.float64).tiny)).float()


def _neighbours(draws: Tensor, mean: Tensor, support: Tensor) -> float:
    product, first, second = (torch.zeros((), dtype=torch.float64) for _ in range(3))
    for g in _centred(draws, mean, support):
        for axis in (1, 2):
            size = g.shape[axis] - 1
            a, b = g.narrow(axis, 0, size), g.narrow(axis, 1, size)
            both = support.narrow(axis - 1, 0, size) & support.narrow(axis - 1, 1, size)
            product += (a * b).sum(dtype=torch.float64)
            first += (a**2 * both).sum(dtype=torch.float64)
            second += (b**2 * both).sum(dtype=torch.float64)
    scale = float((first * second).sqrt())
    return float(product) / scale if scale else 0.0


def _disc_std(draws: Tensor, mean: Tensor, support: Tensor) -> float:
    """0 where no disc fits into the support."""
    at = torch.arange(-DISC_RADIUS, DISC_RADIUS + 1)
    disc = (at[:, None] ** 2 + at[None] ** 2 <= DISC_RADIUS**2).float()[None, None]
    area = float(disc.sum())
    fits = F.conv2d(support.float()[None, None], disc)[0, 0] > area - 0.5
    squares = torch.zeros((), dtype=torch.float64)
    for g in _centred(draws, mean, support):
        means = F.conv2d(g[:, None].float(), disc)[:, 0] / area
        squares += means[:, fits].double().square().sum()
    return math.sqrt(squares / max(1, int(fits.sum()) * (len(draws) - 1)))


def _radial(draws: Tensor, mean: Tensor, support: Tensor) -> tuple[Radial, Radial]:
    """Correlation against distance and the spectrum, both from one padded transform a draw."""
    height, width = support.shape
    padded = (2 * height, 2 * width)
    power = torch.zeros(padded[0], width + 1, dtype=torch.float64)
    squares = torch.zeros(height, width, dtype=torch.float64)
    for g in _centred(draws, mean, support):
        power += torch.fft.rfft2(g.float(), s=padded).abs().double().square().sum(dim=0)
        squares += g.double().square().sum(dim=0)
    transformed = torch.fft.rfft2(support.double(), s=padded)
    moved = torch.fft.irfft2(transformed.conj() * torch.fft.rfft2(squares, s=padded), s=padded)
    pairs = torch.fft.irfft2(transformed.abs().square(), s=padded).round()
    # moved[d] sums g(p + d)^2 over the pairs; by symmetry moved[-d] sums g(p)^2 over them.
    back = moved.flip(0, 1).roll((1, 1), (0, 1))
    scale = (moved.clamp(min=0) * back.clamp(min=0)).sqrt()
    product = torch.fft.irfft2(power, s=padded)
    dy, dx = (torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in padded)
    distance = (dy[:, None] ** 2 + dx[None] ** 2).sqrt()
    correlation = _ringed(distance, product, scale * (pairs > 0), min(height, width) // 2)
    fy = torch.fft.fftfreq(padded[0], dtype=torch.float64)
    fx = torch.fft.rfftfreq(padded[1], dtype=torch.float64)
    side = min(height, width)
    ring = (fy[:, None] ** 2 + fx[None] ** 2).sqrt() * side
    per_pixel = power / (int(support.sum()) * (len(draws) - 1))
    spectrum = _ringed(ring, per_pixel, torch.ones_like(power), side // 2)
    return correlation, Radial(spectrum.at / side, spectrum.value)


def _ringed(radius: Tensor, numerator: Tensor, denominator: Tensor, last: int) -> Radial:
    """sum numerator / sum denominator over the rings round(radius) = 0..last that are not empty."""
    index = radius.round().long().clamp(max=last + 1).flatten()
    sums = torch.zeros(2, last + 2, dtype=torch.float64)
    sums[0].index_add_(0, index, numerator.flatten())
    sums[1].index_add_(0, index, denominator.flatten())
    at = torch.arange(last + 1, dtype=torch.float64)
    kept = sums[1, : last + 1] > 1e-9 * float(sums[1].max())
    value = sums[0, : last + 1][kept] / sums[1, : last + 1][kept]
    return Radial(at[kept].float(), value.float())
