"""The figures of noise against noise whose figures are known, with bounds from sampling theory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from strokediff.benchmark.noise.measure import (
    Components,
    cost,
    exact_components,
    measure,
    stored_bytes,
    support_of,
)
from strokediff.noise.base import CPU
from strokediff.noise.isotropic import IsotropicNoise

SIDE = 24
DRAWS = 400


def disc(side: int = SIDE) -> Tensor:
    at = torch.arange(side) - (side - 1) / 2
    return (at[:, None] ** 2 + at[None] ** 2) < (0.46 * side) ** 2


def white(count: int, seed: int, side: int = SIDE) -> Tensor:
    return torch.randn(count, side, side, generator=torch.Generator().manual_seed(seed))


def autoregressive(count: int, rho: float, seed: int) -> Tensor:
    """Covariance rho^(|dy| + |dx|), unit variance: L E L^T with L L^T = rho^|i - j|."""
    at = torch.arange(SIDE)
    root = torch.linalg.cholesky(rho ** (at[:, None] - at[None]).abs().double()).float()
    return root @ white(count, seed) @ root.T


def of(images: Tensor, masks: Tensor) -> Components:
    return exact_components(images, support_of(masks))


@pytest.fixture(scope="module")
def masks() -> Tensor:
    return disc().expand(60, SIDE, SIDE)


@pytest.fixture(scope="module")
def images(masks: Tensor) -> Tensor:
    return autoregressive(len(masks), 0.9, seed=1) * masks


def test_white_noise_has_white_figures(images: Tensor, masks: Tensor) -> None:
    found = measure(white(DRAWS, seed=2), of(images, masks))
    pixels = int(disc().sum())
    values = DRAWS * pixels
    assert found.std == pytest.approx(1.0, abs=5 / (2 * values) ** 0.5)
    assert found.neighbour_correlation == pytest.approx(0.0, abs=5 / (2 * values) ** 0.5)
    assert found.disc_std == pytest.approx(1 / 7, rel=0.03)
    assert found.offset_floor == pytest.approx(DRAWS**-0.5, rel=0.02)
    assert found.offset_rms < found.offset_floor / 2
    assert found.components == 50
    expected = torch.arange(1, 51) / pixels
    assert torch.allclose(found.energy, expected, atol=5 * (2 * 50 / DRAWS) ** 0.5 / pixels)
    assert found.correlation.value[0] == pytest.approx(1.0, abs=1e-5)
    assert found.correlation.value[1:].abs().max() < 5 / (DRAWS * 4) ** 0.5
    assert torch.allclose(found.spectrum.value, torch.ones(()), atol=0.15)
    assert found.spectrum.at[-1] == pytest.approx(0.5)


def test_a_known_correlation_is_found_at_every_distance(images: Tensor, masks: Tensor) -> None:
    rho = 0.8
    found = measure(autoregressive(2 * DRAWS, rho, seed=3), of(images, masks))
    assert found.neighbour_correlation == pytest.approx(rho, abs=0.02)
    for distance, value in zip(found.correlation.at, found.correlation.value, strict=True):
        far = int(distance)
        assert float(value) == pytest.approx(ring_mean(rho, far), abs=0.06)


def ring_mean(rho: float, far: int) -> float:
    """rho^(|dy| + |dx|) over the displacements that round to `far`, weighted by pairs in S."""
    inside = disc().double()
    total = weight = 0.0
    for dy in range(-far - 1, far + 2):
        for dx in range(-far - 1, far + 2):
            if round((dy**2 + dx**2) ** 0.5) == far and max(abs(dy), abs(dx)) < SIDE:
                a = inside[max(0, -dy) : SIDE - max(0, dy), max(0, -dx) : SIDE - max(0, dx)]
                b = inside[max(0, dy) : SIDE + min(0, dy), max(0, dx) : SIDE + min(0, dx)]
                pairs = float((a * b).sum())
                total += pairs * rho ** (abs(dy) + abs(dx))
                weight += pairs
    return total / weight


def test_a_constant_offset_is_found_and_is_not_variance(images: Tensor, masks: Tensor) -> None:
    offset = 0.4 * white(1, seed=4)[0]
    draws = 0.3 * white(DRAWS, seed=5)
    plain, shifted = (measure(d, of(images, masks)) for d in (draws, draws + offset))
    true = float((offset[disc()] ** 2).mean().sqrt())
    assert shifted.offset_rms == pytest.approx(
        true, abs=5 * 0.3 / (DRAWS * int(disc().sum())) ** 0.5
    )
    assert torch.allclose(shifted.mean[disc()], offset[disc()], atol=5 * 0.3 / DRAWS**0.5)
    assert shifted.std == pytest.approx(plain.std, rel=1e-5)
    assert shifted.neighbour_correlation == pytest.approx(plain.neighbour_correlation, abs=1e-5)
    assert shifted.top50_energy == pytest.approx(plain.top50_energy, abs=1e-5)


def test_the_images_own_noise_has_the_images_energy(images: Tensor, masks: Tensor) -> None:
    """X J u / sqrt(M - 1) is an exact draw from the images' covariance: same energy, same rho."""
    own = measure(images, of(images, masks))
    centred = images - images.mean(dim=0)
    u = torch.randn(DRAWS * 5, len(images), generator=torch.Generator().manual_seed(6))
    drawn = (u @ centred.flatten(1)).reshape(-1, SIDE, SIDE) / (len(images) - 1) ** 0.5
    found = measure(drawn, of(images, masks))
    assert own.top50_energy == pytest.approx(found.top50_energy, abs=0.01)
    assert own.neighbour_correlation == pytest.approx(found.neighbour_correlation, abs=0.01)
    assert own.std == pytest.approx(found.std, rel=0.03)


@pytest.mark.parametrize("count", [40, 900], ids=["gram", "covariance"])
def test_components_are_those_of_the_dense_svd(count: int) -> None:
    support = disc()
    scale = 0.9 ** torch.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    images = white(count, seed=7) * scale * 30
    basis = exact_components(images, support, 10).basis
    inside = images[:, support]
    truth = torch.linalg.svd(inside - inside.mean(dim=0), full_matrices=False).Vh[:10]
    overlap = (truth @ basis).abs()
    assert torch.allclose(overlap, torch.eye(10), atol=1e-3)


def test_few_images_have_few_components(images: Tensor, masks: Tensor) -> None:
    found = measure(white(20, seed=8), of(images[:7], masks[:7]))
    assert found.components == 6
    assert len(found.energy) == 6


def test_only_the_support_is_looked_at(images: Tensor, masks: Tensor) -> None:
    draws = white(30, seed=9)
    wild = torch.where(disc(), draws, torch.tensor(100.0))
    a, b = (measure(d, of(images, masks)) for d in (draws, wild))
    assert a.std == b.std
    assert a.top50_energy == b.top50_energy
    assert torch.equal(a.spectrum.value, b.spectrum.value)
    assert not a.mean[~disc()].any()
    assert not a.variance[~disc()].any()


def test_the_figures_do_not_change_with_the_noise_scale(images: Tensor, masks: Tensor) -> None:
    draws = autoregressive(40, 0.7, seed=10)
    a, b = (measure(d, of(images, masks)) for d in (draws, 3.0 * draws))
    assert b.std == pytest.approx(3.0 * a.std, rel=1e-5)
    assert b.neighbour_correlation == pytest.approx(a.neighbour_correlation, abs=1e-6)
    assert b.top50_energy == pytest.approx(a.top50_energy, abs=1e-6)
    assert torch.allclose(b.correlation.value, a.correlation.value, atol=1e-5)
    assert torch.allclose(b.spectrum.value, 9.0 * a.spectrum.value, rtol=1e-4)


def test_what_cannot_be_measured_is_refused(images: Tensor, masks: Tensor) -> None:
    components = exact_components(images, support_of(masks))
    with pytest.raises(ValueError, match="2 draws or more"):
        measure(white(1, seed=11), components)
    with pytest.raises(ValueError, match="only empty ones"):
        support_of(torch.zeros(2, SIDE, SIDE))
    with pytest.raises(ValueError, match="2 images or more"):
        exact_components(images[:1], disc())


class Stored(IsotropicNoise):
    """Noise that stores a known number of bytes and remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        self.batches.append(list(seeds))
        return torch.zeros(len(seeds), *shape)

    def tensors(self) -> dict[str, Tensor]:
        return {"a": torch.zeros(10, 3), "b": torch.zeros(5, dtype=torch.float64)}


def test_cost_counts_the_stored_bytes_and_times_whole_batches() -> None:
    model = Stored()
    found = cost(model, (1, 8, 8), batch=4, repeats=2)
    assert found.bytes == 10 * 3 * 4 + 5 * 8
    assert found.seconds_per_draw > 0
    assert [len(b) for b in model.batches] == [4, 4, 4]
    assert len({seed for b in model.batches for seed in b}) == 12


def test_isotropic_noise_stores_nothing() -> None:
    model = IsotropicNoise()
    draws = model.draw(range(64), (1, SIDE, SIDE))[:, 0]
    masks = disc().expand(5, SIDE, SIDE)
    assert measure(draws, of(white(5, seed=12), masks)).std == pytest.approx(1.0, abs=0.03)
    assert stored_bytes(model) == 0


def test_the_mean_over_a_disc_moves_as_much_as_the_noise_is_correlated(
    images: Tensor, masks: Tensor
) -> None:
    """A field that is one number a draw averages to that number; the closed form for rho^|d|."""
    flat = white(DRAWS, seed=5)[:, :1, :1].expand(DRAWS, SIDE, SIDE)
    assert measure(flat, of(images, masks)).disc_std == pytest.approx(
        1.0, rel=5 / (2 * DRAWS) ** 0.5
    )
    rho = 0.6
    at = torch.arange(-4, 5)
    y, x = (at[:, None] ** 2 + at[None] ** 2 <= 16).nonzero().double().T
    covariance = rho ** ((y[:, None] - y).abs() + (x[:, None] - x).abs())
    wanted = float(covariance.mean()) ** 0.5
    found = measure(autoregressive(DRAWS, rho, seed=6), of(images, masks)).disc_std
    assert found == pytest.approx(wanted, rel=0.05)


def test_where_no_disc_fits_there_is_none(images: Tensor) -> None:
    small = torch.zeros(60, SIDE, SIDE)
    small[:, :5, :5] = 1
    assert measure(white(4, seed=7), of(images * small, small)).disc_std == 0.0
