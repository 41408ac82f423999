"""The laws of a noise model, one suite over all of them.

`fourier`, equations (5)-(8) as printed, obeys all of them with its own moments; that these are
not mean 0 and variance 1 is pinned in test_fourier.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from strokediff.errors import InputError, UsageError
from strokediff.noise.registry import NOISE_MODELS, noise_family
from strokediff.noise.store import load_noise, save_noise

from .conftest import FACTORS, SHAPE, SIDE, WHITENING, Fit, Images

NAMES = list(NOISE_MODELS)
FITTED = [name for name in NAMES if name != "isotropic"]
STATIONARY = ("isotropic", "scanner")
"""On a grid of any size, everywhere alike."""
MEASURED = ("fourier-standardised",)
"""Without moments in closed form; its own laws are in test_standardised.py."""
CLOSED = [name for name in NAMES if name not in MEASURED]
SUPPORTED = [name for name in NAMES if name not in STATIONARY]
DRAWS = 6000


@pytest.fixture(scope="session")
def drawn(models: dict[str, Any]) -> dict[str, Tensor]:
    return {name: models[name].draw(range(DRAWS), SHAPE)[:, 0] for name in NAMES}


def circulant(spectrum: Tensor) -> Tensor:
    """The covariance of all pixels, from that of one with the others: its spectrum transformed."""
    with_first = torch.fft.irfft2(spectrum, s=(SIDE, SIDE))
    at = torch.arange(SIDE * SIDE)
    down, across = at // SIDE, at % SIDE
    apart = ((a[:, None] - a[None]) % SIDE for a in (down, across))
    return with_first[tuple(apart)]


def closed_covariance(model: Any, images: Images) -> Tensor:
    if model.name == "isotropic":
        return torch.eye(int(images.brain.sum()), dtype=torch.float64)
    if model.name == "scanner":
        return circulant(model.spectrum(SIDE, SIDE))[images.brain.flatten()][
            :, images.brain.flatten()
        ]
    return model.covariance()


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_is_float32_of_the_shape_and_on_the_device_asked_for(
    models: dict[str, Any], name: str
) -> None:
    eps = models[name].draw([3, 4], SHAPE, torch.device("cpu"))
    assert eps.shape == (2, *SHAPE)
    assert eps.dtype == torch.float32
    assert eps.device.type == "cpu"
    assert bool(eps.isfinite().all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_draws_the_same_noise_to_rounding_and_any_split_bitwise(fit: Fit, name: str) -> None:
    model, cuda = fit(name), torch.device("cuda")
    expected = model.draw([5, 6, 7], SHAPE)
    eps = model.draw([5, 6, 7], SHAPE, cuda)
    assert eps.device.type == "cuda"
    torch.testing.assert_close(eps.cpu(), expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(model.draw([7], SHAPE, cuda)[0], eps[2])


@pytest.mark.parametrize("name", NAMES)
def test_fit_and_draw_are_fixed_by_their_seeds(models: dict[str, Any], fit: Fit, name: str) -> None:
    again = fit(name)
    assert torch.equal(again.draw([5, 6], SHAPE), models[name].draw([5, 6], SHAPE))
    assert not torch.equal(again.draw([5], SHAPE), again.draw([6], SHAPE))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", [[1] * 9, [4, 5], [2, 7], [8, 1]])
def test_a_sample_depends_on_its_seed_alone_bitwise(
    models: dict[str, Any], name: str, split: list[int]
) -> None:
    seeds = torch.arange(100, 109)
    together = models[name].draw(seeds.tolist(), SHAPE)
    parts = [models[name].draw(part.tolist(), SHAPE) for part in seeds.split(split)]
    assert torch.equal(torch.cat(parts), together)
    backwards = models[name].draw(seeds.flip(0).tolist(), SHAPE)
    assert torch.equal(backwards.flip(0), together)


@pytest.mark.parametrize("name", NAMES)
def test_threads_change_nothing_bitwise(models: dict[str, Any], name: str) -> None:
    before = torch.get_num_threads()
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(models[name].draw([1, 2], SHAPE))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("name", CLOSED)
def test_mean_is_the_closed_form(
    models: dict[str, Any], drawn: dict[str, Tensor], name: str
) -> None:
    moments = models[name].moments(SHAPE)
    error = (drawn[name].mean(0) - moments.mean).abs()
    assert bool((error <= 5 * (moments.variance / DRAWS).sqrt() + 1e-6).all())
    if name != "fourier":
        assert torch.equal(moments.mean, torch.zeros(SIDE, SIDE))


@pytest.mark.parametrize("name", CLOSED)
def test_variance_is_the_closed_form(
    models: dict[str, Any], drawn: dict[str, Tensor], images: Images, name: str
) -> None:
    variance = models[name].moments(SHAPE).variance
    error = (drawn[name].var(0) - variance).abs()
    assert bool((error <= 5 * variance * (2 / DRAWS) ** 0.5 + 1e-6).all())
    if name != "fourier":
        assert torch.equal(variance[images.brain], torch.ones(int(images.brain.sum())))


@pytest.mark.parametrize("name", CLOSED)
def test_covariance_is_the_closed_form(
    models: dict[str, Any], drawn: dict[str, Tensor], images: Images, name: str
) -> None:
    """Frobenius error against what N Gaussian draws leave: sum (S_ii S_jj + S_ij^2) / N."""
    expected = closed_covariance(models[name], images)
    found = torch.cov(drawn[name][:, images.brain].double().T)
    diagonal = expected.diagonal()
    noise = (torch.outer(diagonal, diagonal) + expected**2).sum() / DRAWS
    assert float((found - expected).norm()) < 1.15 * float(noise.sqrt())


@pytest.mark.parametrize("name", SUPPORTED)
def test_noise_is_zero_where_no_slice_shows_brain(
    models: dict[str, Any], drawn: dict[str, Tensor], images: Images, name: str
) -> None:
    moments = models[name].moments(SHAPE)
    for values in (drawn[name][:, ~images.brain], moments.mean[~images.brain]):
        assert not bool(values.any())
    assert not bool(moments.variance[~images.brain].any())
    assert bool((drawn[name][:50, images.brain] != 0).all())


@pytest.mark.parametrize("name", FACTORS)
def test_the_margin_holds_white_noise_of_unit_variance(fit: Fit, images: Images, name: str) -> None:
    model = fit(name, margin=1)
    support = model.tensors()["support"] > 0
    ring = support & ~images.brain
    assert int(ring.sum()) > 20
    assert bool(images.brain[support].sum() == images.brain.sum())
    covariance = model.covariance()[ring[support]]
    assert torch.equal(covariance, torch.eye(len(support[support]))[ring[support]].double())
    values = model.draw(range(2000), SHAPE)[:, 0, ring]
    assert float(values.var()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load_is_the_identity(models: dict[str, Any], tmp_path: Path, name: str) -> None:
    model = models[name]
    save_noise(tmp_path / "noise", model)
    loaded = load_noise(tmp_path / "noise")
    assert loaded.name == name
    assert loaded.settings() == model.settings()
    assert loaded.tensors().keys() == model.tensors().keys()
    for key, value in model.tensors().items():
        assert torch.equal(loaded.tensors()[key], value)
    assert torch.equal(loaded.draw([8, 9], SHAPE), model.draw([8, 9], SHAPE))


@pytest.mark.parametrize("name", CLOSED)
def test_fit_streams_whatever_the_batch_size(images: Images, fit: Fit, name: str) -> None:
    settings = fit(name).settings()
    one = NOISE_MODELS[name].fit(images.batches(7), **settings)
    other = NOISE_MODELS[name].fit(images.batches(90), **settings)
    torch.testing.assert_close(
        closed_covariance(one, images), closed_covariance(other, images), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize("name", SUPPORTED)
def test_another_grid_is_refused(models: dict[str, Any], name: str) -> None:
    for call in (
        lambda: models[name].draw([1], (1, 8, 8)),
        lambda: models[name].moments((1, 8, 8)),
    ):
        with pytest.raises(UsageError, match=r"fitted on slices of 20 x 20.*1 x 8 x 8.*Fit it on"):
            call()


@pytest.mark.parametrize("name", FITTED)
def test_a_cohort_without_brain_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="noise cannot be fitted"):
        NOISE_MODELS[name].fit(list)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no noise model 'pink'; expected one of: isotropic, f"):
        noise_family("pink")


def dense(model: Any, m: Tensor) -> Tensor:
    """V of the pixels inside m, column by column."""
    inside = m.flatten() > 0
    unit = torch.eye(SIDE * SIDE)[inside].reshape(-1, *SHAPE)
    masks = m.expand(len(unit), 1, -1, -1)
    return model.whiten(unit, masks).flatten(1)[:, inside].T.double()


@pytest.mark.parametrize("name", WHITENING)
@pytest.mark.parametrize("part", ["all brain", "one slice's brain"])
def test_whitening_gives_covariance_identity(
    models: dict[str, Any], images: Images, name: str, part: str
) -> None:
    """V S V^T = I for the covariance S of the pixels inside the mask, so V^T V = S^-1."""
    m = images.brain if part == "all brain" else images.m[4] > 0
    m = m & (torch.arange(SIDE) > 4)
    sigma = closed_covariance(models[name], images)[m[images.brain]][:, m[images.brain]]
    V = dense(models[name], m.float())
    torch.testing.assert_close(V @ sigma @ V.T, torch.eye(len(V)).double(), atol=1e-3, rtol=0)
    torch.testing.assert_close(V.T @ V @ sigma, torch.eye(len(V)).double(), atol=5e-3, rtol=0)


@pytest.mark.parametrize("name", WHITENING)
def test_whitened_draws_are_white(models: dict[str, Any], images: Images, name: str) -> None:
    eps = models[name].draw(range(3000), SHAPE)
    white = models[name].whiten(eps if name in STATIONARY else eps * images.brain)[:, 0]
    if name in SUPPORTED:
        assert not bool(white[:, ~images.brain].any())
    found = torch.cov(white[:, images.brain].double().T)
    n = len(found)
    assert float((found - torch.eye(n)).norm()) < 1.2 * (n * (n + 1) / 3000) ** 0.5


@pytest.mark.parametrize("name", WHITENING)
def test_whitening_lets_gradients_through(
    models: dict[str, Any], images: Images, name: str
) -> None:
    """d |V e|^2 / d e = 2 V^T V e = 2 S^-1 e."""
    m = images.m[4:5, None]
    inside = m[0, 0] > 0
    e = (models["isotropic"].draw([7], SHAPE) * m).requires_grad_()
    models[name].whiten(e, m).square().sum().backward()
    at = inside[images.brain]
    sigma = closed_covariance(models[name], images)[at][:, at]
    expected = 2 * torch.linalg.solve(sigma, e.detach()[0, 0][inside].double())
    assert e.grad is not None
    torch.testing.assert_close(e.grad[0, 0][inside].double(), expected, atol=5e-3, rtol=5e-3)
