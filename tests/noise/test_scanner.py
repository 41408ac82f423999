"""Scanner noise: its spectrum, what is fitted, and the inverse root inside a mask."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from strokediff.errors import UsageError
from strokediff.noise.scanner import ScannerNoise
from strokediff.noise.stationary import inverse_root

SIDE = 64


def slices(noise: ScannerNoise, n: int = 48, side: int = SIDE) -> Tensor:
    return noise.draw(range(n), (1, side, side))[:, 0].double()


def fitted(x: Tensor, m: Tensor, **settings: float) -> float:
    return ScannerNoise.fit(lambda: [(x, m)], **settings).cutoff


@pytest.mark.parametrize("size", [(20, 20), (33, 48)])
@pytest.mark.parametrize("cutoff", [0.05, 0.3, 2.0])
def test_the_spectrum_is_the_formula_and_has_the_mean_1(
    cutoff: float, size: tuple[int, int]
) -> None:
    """S(f) = (1 - lambda) s / mean(s) + lambda, s = |f| exp(-2 (f / c)^2), at every frequency."""
    found = ScannerNoise.of(cutoff, shrinkage=0.25).spectrum(*size)
    s = torch.zeros(size, dtype=torch.float64)
    for i in range(size[0]):
        for j in range(size[1]):
            f = math.hypot((i + size[0] // 2) % size[0] - size[0] // 2, 0) / size[0]
            g = ((j + size[1] // 2) % size[1] - size[1] // 2) / size[1]
            r = math.hypot(f, g)
            s[i, j] = r * math.exp(-2 * (r / cutoff) ** 2)
    expected = 0.75 * s / s.mean() + 0.25
    assert float(expected.mean()) == pytest.approx(1)
    torch.testing.assert_close(found, expected[:, : size[1] // 2 + 1])


@pytest.mark.parametrize("cutoff", [0.1, 0.15, 0.35, 0.6, 1.2])
def test_the_cutoff_of_noise_is_found(cutoff: float) -> None:
    """From 48 slices of nothing else, to 6 %."""
    x = slices(ScannerNoise.of(cutoff))
    assert fitted(x, torch.ones_like(x)) == pytest.approx(cutoff, rel=0.06)


def test_its_strength_and_what_is_smooth_do_not_count() -> None:
    """Noise a hundred times weaker, on a plane, a bent surface and an edge, has the same cutoff."""
    x = slices(ScannerNoise.of(0.3))
    i, j = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    head = 0.3 * i - 0.5 * j + 0.4 * i * j + (i.square() + j.square() < 0.05)
    assert fitted(0.01 * x + head, torch.ones_like(x)) == pytest.approx(0.3, rel=0.08)


def test_beyond_the_mask_nothing_counts() -> None:
    x = slices(ScannerNoise.of(0.4))
    m = torch.zeros_like(x)
    m[:, 10:50, 12:40] = 1
    beyond = torch.where(m > 0, x, 50 * slices(ScannerNoise.of(1.5)))
    assert fitted(beyond, m) == fitted(x, m)


def test_white_noise_draws_are_as_white_as_they_can_be() -> None:
    """With lambda = 1 the spectrum is flat, whatever the cutoff."""
    assert ScannerNoise.of(0.1, shrinkage=1.0).spectrum(16, 16).unique().tolist() == [1.0]


def test_neighbouring_pixels_go_together_behind_a_soft_kernel() -> None:
    """The correlation of neighbours is the transform of S at a distance of 1, soft above sharp."""
    found = []
    for cutoff in (0.15, 1.0):
        noise = ScannerNoise.of(cutoff)
        x = slices(noise, n=64)
        closed = torch.fft.irfft2(noise.spectrum(SIDE, SIDE), s=(SIDE, SIDE))[0, 1]
        measured = (x * x.roll(1, dims=-1)).mean()
        assert float(measured) == pytest.approx(float(closed), abs=0.01)
        found.append(float(closed))
    assert found[0] > 0.5 > 0.2 > found[1]


def test_noise_without_a_white_share_cannot_be_whitened() -> None:
    noise = ScannerNoise.of(0.3, shrinkage=0.0)
    with pytest.raises(UsageError, match="shrinkage 0 cannot be whitened.*Fit it with"):
        noise.whiten(noise.draw([0], (1, 16, 16)))


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1, math.nan])
def test_a_share_beyond_0_to_1_is_refused(shrinkage: float) -> None:
    with pytest.raises(UsageError, match="shrinkage from 0 to 1"):
        ScannerNoise.of(0.3, shrinkage=shrinkage)


@pytest.mark.parametrize("cutoff", [0.0, 3.0, math.nan, math.inf])
def test_a_cutoff_that_no_fit_has_is_refused(cutoff: float) -> None:
    with pytest.raises(ValueError, match="expected a cutoff"):
        ScannerNoise.of(cutoff)


@pytest.mark.parametrize("condition", [1.0, 4.0, 100.0])
def test_the_inverse_root_of_a_matrix(condition: float) -> None:
    """A^-1/2 by the eigenvectors, to 1e-5; a sample does not depend on the batch."""
    g = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(12, 12, generator=g, dtype=torch.float64)).Q
    values = torch.linspace(0.3, 0.3 * condition, 12, dtype=torch.float64)
    A, root = basis * values @ basis.T, basis * values.rsqrt() @ basis.T
    e = torch.randn(5, 12, generator=g, dtype=torch.float64)
    found = inverse_root(lambda v: v @ A, e, 0.3, 0.3 * condition)
    assert float((found - e @ root).norm()) < 2e-5 * float((e @ root).norm())
    alone = inverse_root(lambda v: v @ A, e[3:4], 0.3, 0.3 * condition)
    torch.testing.assert_close(alone[0], found[3], atol=1e-12, rtol=0)
