"""Equations (5)-(8) of SADPM as printed, and the laws of a noise model that they break."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import pytest
import torch
from torch import Tensor

from strokediff.noise.fourier import FourierNoise

from .conftest import SHAPE, Fit, Images, share_clipped


@pytest.fixture(scope="session")
def fourier(models: dict[str, Any]) -> FourierNoise:
    return models["fourier"]


def neighbour_correlation(covariance: Tensor, brain: Tensor) -> float:
    """Mean correlation of horizontal neighbours."""
    place = torch.full(brain.shape, -1)
    place[brain] = torch.arange(int(brain.sum()))
    both = brain[:, 1:] & brain[:, :-1]
    i, j = place[:, 1:][both], place[:, :-1][both]
    deviation = covariance.diagonal().sqrt()
    return float((covariance[i, j] / deviation[i] / deviation[j]).mean())


def test_the_paper_s_D_is_the_default(images: Images) -> None:
    one = (images.x[:4, :6, :6], images.m[:4, 6:12, 6:12])
    assert len(FourierNoise.fit(lambda: [one]).tensors()["b"]) == 3000


def test_frequencies_and_phases_follow_their_laws(fit: Fit) -> None:
    """Entries of W are N(0, pi/(4D)), b is U[pi/4, 3 pi/4]."""
    D = 900
    tensors = fit("fourier", D=D).tensors()
    W, b = tensors["W"], tensors["b"]
    assert W.shape == (D, SHAPE[1] * SHAPE[2])
    assert float(W.var()) == pytest.approx(pi / (4 * D), rel=0.01)
    assert float(W.mean()) == pytest.approx(0, abs=5 * sqrt(pi / (4 * D) / W.numel()))
    assert pi / 4 <= float(b.min()) < pi / 4 + 0.02
    assert 3 * pi / 4 - 0.02 < float(b.max()) <= 3 * pi / 4


def test_equations_6_to_8_written_out_densely(fourier: FourierNoise, images: Images) -> None:
    """Z J J^T Z^T from all features at once, its Cholesky factor, and the reverse mapping."""
    t = fourier.tensors()
    W, b = t["W"].double(), t["b"].double()
    D, n = len(b), len(images.x)
    Z = sqrt(2 / D) * torch.cos(W @ images.x.flatten(1).double().T + b[:, None])
    J = n**-1.5 * (n * torch.eye(n) - torch.ones(n, n)).double()
    L = t["L"].double()
    torch.testing.assert_close(L @ L.T, Z @ J @ J.T @ Z.T, atol=1e-8, rtol=1e-4)
    assert torch.equal(L, L.tril())
    u = torch.randn(D, generator=torch.Generator().manual_seed(11)).double()
    x = W.T @ (torch.arccos((sqrt(D / 2) * (L @ u)).clamp(-1, 1)) - b)
    expected = x.reshape(SHAPE) * images.brain
    torch.testing.assert_close(fourier.draw([11], SHAPE)[0].double(), expected, atol=1e-5, rtol=0)


def test_broken_law_the_mean_is_an_offset(fourier: FourierNoise, images: Images) -> None:
    """eps_A is centred, so arccos lands around pi/2 and W^T (pi/2 - b) stays in every draw."""
    t = fourier.tensors()
    offset = (t["W"].T @ (pi / 2 - t["b"])).reshape(SHAPE[1:]) * images.brain
    mean = fourier.moments(SHAPE).mean
    torch.testing.assert_close(mean, offset, atol=1e-5, rtol=0)
    # E[(pi/2 - b)^2] = pi^2 / 48 over D phases of variance pi / (4D): rms sqrt(pi^3 / 192).
    assert float(mean[images.brain].square().mean().sqrt()) == pytest.approx(
        sqrt(pi**3 / 192), rel=0.2
    )


def test_broken_law_the_variance_is_not_one(fourier: FourierNoise, images: Images) -> None:
    """The features of a slice vary little, and W^T W is not I: what comes back is small."""
    variance = fourier.moments(SHAPE).variance[images.brain]
    assert 0 < float(variance.max()) < 0.2


def test_broken_law_the_noise_is_nearly_white(fourier: FourierNoise, images: Images) -> None:
    """W^T W has cross-talk of relative size sqrt(d / D) between pixels, d = 400, D = 200."""
    found = neighbour_correlation(fourier.covariance(), images.brain)
    assert found < 0.65 * neighbour_correlation(images.covariance(), images.brain)


def test_arccos_arguments_beyond_one_are_clipped(fit: Fit, images: Images) -> None:
    """Few features make omega^T x large, as 448 x 448 pixels do: arguments leave [-1, 1]."""
    model = fit("fourier", D=12)
    L = model.tensors()["L"]
    assert 0 < share_clipped(torch.zeros(len(L)), L * (len(L) / 2) ** 0.5) < 0.2
    assert bool(model.draw(range(200), SHAPE).isfinite().all())


def test_one_copy_of_W_and_no_file_holds_it(fourier: FourierNoise) -> None:
    place = fourier.tensors()["W"].data_ptr()
    fourier.draw([1], SHAPE)
    fourier.moments(SHAPE)
    assert fourier.tensors()["W"].data_ptr() == place
    assert fourier.derived == ("W",)
