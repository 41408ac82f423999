"""The pieces against references: principal components, running moments, the law of arccos."""

from __future__ import annotations

from math import pi

import pytest
import torch

from strokediff.noise.arccos import arccos_law
from strokediff.noise.linear import ROWS, products, workers
from strokediff.noise.statistics import (
    RunningCovariance,
    RunningVariance,
    cholesky,
    principal_of,
)

from .conftest import Images


def test_principal_components_against_a_dense_eigendecomposition(images: Images) -> None:
    found = principal_of(images.batches(13), rank=20)
    values, vectors = torch.linalg.eigh(images.covariance())
    torch.testing.assert_close(found.eigenvalues.double(), values.flip(0)[:20], rtol=1e-3, atol=0)
    overlap = found.components[:, :10].double().T @ vectors.flip(1)[:, :12]
    assert float(overlap.square().sum(1).min()) > 0.99
    torch.testing.assert_close(
        found.components.T @ found.components, torch.eye(20), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        found.variance.double(), images.covariance().diagonal(), atol=1e-6, rtol=0
    )


def test_the_rank_is_what_the_slices_allow(images: Images) -> None:
    few = [(images.x[:9], images.m[:9])]
    assert len(principal_of(lambda: few, rank=256).eigenvalues) == 8


@pytest.mark.parametrize("sizes", [[50], [1] * 50, [7, 30, 13]])
def test_running_covariance_is_Z_J_J_Z(sizes: list[int]) -> None:
    """Also far from zero, where E z z^T - mean mean^T would cancel."""
    g = torch.Generator().manual_seed(0)
    z = torch.randn(50, 5, generator=g, dtype=torch.float64) + 1e6
    running = RunningCovariance(5)
    for part in z.split(sizes):
        running.update(part)
    J = 50**-1.5 * (50 * torch.eye(50) - torch.ones(50, 50)).double()
    centred = z - 1e6
    torch.testing.assert_close(running.covariance, centred.T @ J @ J.T @ centred, atol=1e-8, rtol=0)
    torch.testing.assert_close(running.mean, z.mean(0))


def test_running_variance_and_where_brain_was(images: Images) -> None:
    running = RunningVariance()
    for x, m in images.batches(11)():
        running.update(x, m)
    torch.testing.assert_close(running.variance, images.x.double().var(0, correction=0))
    assert torch.equal(running.brain, images.brain)


def test_cholesky_of_a_singular_covariance() -> None:
    """Fewer images than features: the factor reproduces the covariance all the same."""
    z = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    L = cholesky(z @ z.T)
    assert torch.equal(L, L.tril())
    torch.testing.assert_close(L @ L.T, z @ z.T, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="far from positive definite"):
        cholesky(-torch.eye(3, dtype=torch.float64))


def test_the_law_of_arccos_against_draws() -> None:
    """Means, some of them clipped often, and a strong correlation."""
    n = 400_000
    mean, deviation = torch.tensor([0.0, 0.6, -0.9]), torch.tensor([0.2, 0.3, 0.3])
    mixing = torch.tensor([[1.0, 0, 0], [0.8, 0.6, 0], [-0.5, 0.2, 0.8426]])
    correlation = mixing @ mixing.T
    g = torch.Generator().manual_seed(1)
    e = torch.randn(n, 3, generator=g) @ mixing.T * deviation
    a = torch.arccos((mean + e).clamp(-1, 1)).double()
    law = arccos_law(mean, deviation)
    torch.testing.assert_close(law.mean, a.mean(0), atol=4e-3, rtol=0)
    found = law.covariance(correlation.double())
    torch.testing.assert_close(found, torch.cov(a.T), atol=2e-3, rtol=0)


def test_the_law_of_arccos_for_little_noise() -> None:
    """arccos(mu + e) = arccos(mu) - e / sqrt(1 - mu^2) + O(e^2)."""
    law = arccos_law(torch.tensor([0.0, 0.5]), torch.tensor([1e-3, 1e-3]))
    expected = torch.tensor([pi / 2, pi / 3], dtype=torch.float64)
    torch.testing.assert_close(law.mean, expected, atol=1e-6, rtol=0)
    slope = torch.tensor([1.0, 1 / 0.75], dtype=torch.float64)
    torch.testing.assert_close(law.variance, 1e-6 * slope, atol=0, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_products_in_tiles(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    matrix = torch.randn(3000, 96, generator=g).to(dtype)
    vectors = torch.randn(3, 96, generator=g)
    expected = vectors.double() @ matrix.double().T
    torch.testing.assert_close(
        products(matrix, list(vectors)).double(), expected, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("inference", [False, True])
def test_workers_change_nothing_bitwise(dtype: torch.dtype, inference: bool) -> None:
    """Several tiles, on one thread or three, in inference mode or not."""
    g = torch.Generator().manual_seed(0)
    matrix = torch.randn(2 * ROWS + 5, 40, generator=g).to(dtype)
    vectors = list(torch.randn(2, 40, generator=g))
    before = torch.get_num_threads()
    found = []
    with torch.inference_mode(inference):
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with workers(torch.device("cpu")) as spread:
                assert torch.get_num_threads() == 1
                found.append(products(matrix, vectors, spread))
            assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert torch.equal(*found)
