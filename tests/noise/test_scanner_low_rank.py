"""Noise of anatomy and scanner: its two limits, its parts, and what lies between."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from strokediff.errors import UsageError
from strokediff.noise.low_rank import LowRankNoise
from strokediff.noise.scanner import ScannerNoise
from strokediff.noise.stationary import filtered

from .conftest import SHAPE, SIDE, Fit, Images

NAME = "scanner-low-rank"


def scanner_of(model: Any) -> ScannerNoise:
    return ScannerNoise.of(float(model.tensors()["cutoff"]), model.settings()["shrinkage"])


def scanner_covariance(model: Any, where: Tensor) -> Tensor:
    """S of the pixels `where` (H, W), a column at a time."""
    unit = torch.eye(SIDE * SIDE, dtype=torch.float64).reshape(-1, SIDE, SIDE)
    S = filtered(unit, scanner_of(model).spectrum(SIDE, SIDE)).flatten(1)
    return S[where.flatten()][:, where.flatten()]


def test_all_of_the_scanners_share_is_scanner_noise(fit: Fit, images: Images) -> None:
    model = fit(NAME, share=1.0)
    torch.testing.assert_close(
        model.covariance(), scanner_covariance(model, images.brain), atol=1e-12, rtol=0
    )
    eps = model.draw(range(4), SHAPE)
    m = images.m[:4, None]
    expected = scanner_of(model).whiten(eps, m)
    torch.testing.assert_close(model.whiten(eps, m), expected, atol=1e-6, rtol=0)


def test_a_white_scanner_is_low_rank_noise_of_that_shrinkage(fit: Fit, images: Images) -> None:
    model, low_rank = fit(NAME, shrinkage=1.0, share=0.3), fit("low-rank", shrinkage=0.3)
    torch.testing.assert_close(model.covariance(), low_rank.covariance(), atol=1e-12, rtol=0)
    e, m = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0)), images.m[:3, None]
    torch.testing.assert_close(model.whiten(e, m), low_rank.whiten(e, m), atol=1e-4, rtol=1e-4)


def test_its_parts_are_fitted_as_their_own_models_are(images: Images, fit: Fit) -> None:
    model = fit(NAME, share=0.4)
    low_rank = LowRankNoise.fit(images.batches(), rank=24, shrinkage=0.4)
    assert torch.equal(model.tensors()["basis"], low_rank.tensors()["basis"])
    scanner = ScannerNoise.fit(images.batches(), shrinkage=0.2)
    assert float(model.tensors()["cutoff"]) == scanner.cutoff


def test_between_them_it_is_the_sum_and_the_margin_is_the_scanners(
    fit: Fit, images: Images
) -> None:
    """G G^T + Psi^1/2 S Psi^1/2, in which the scanner has its share or more of every pixel."""
    model = fit(NAME, margin=1)
    support = model.tensors()["support"] > 0
    G = torch.zeros(SIDE * SIDE, model.tensors()["basis"].shape[1], dtype=torch.float64)
    G[images.brain.flatten()] = model.tensors()["basis"].double()
    G = G[support.flatten()]
    psi = 1 - G.square().sum(1)
    assert float(psi.min()) > 0.3 - 1e-3 and float(psi[images.brain[support]].max()) < 0.9
    S = scanner_covariance(model, support)
    expected = G @ G.T + psi.sqrt().diag() @ S @ psi.sqrt().diag()
    torch.testing.assert_close(model.covariance(), expected, atol=1e-12, rtol=0)
    ring = ~images.brain[support]
    found = torch.cov(model.draw(range(6000), SHAPE)[:, 0, support][:, ring].double().T)
    noise = (1 + S[ring][:, ring] ** 2).sum() / 6000
    assert float((found - S[ring][:, ring]).norm()) < 1.15 * float(noise.sqrt())


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_0_to_1_is_refused(fit: Fit, share: float) -> None:
    with pytest.raises(UsageError, match="expected a share from 0 to 1"):
        fit(NAME, share=share)


def test_without_a_share_or_white_noise_it_cannot_be_whitened(fit: Fit, images: Images) -> None:
    e = images.x[:1, None]
    full_rank = {"rank": 90, "share": 0.0}
    with pytest.raises(UsageError, match="of share 0.0 cannot be whitened.*a share above 0"):
        fit(NAME, **full_rank).whiten(e)
    with pytest.raises(UsageError, match="shrinkage 0 cannot be whitened.*Fit it with"):
        fit(NAME, shrinkage=0.0).whiten(e)


def test_slices_of_one_mask_and_of_many_are_whitened_alike(fit: Fit, images: Images) -> None:
    model, m = fit(NAME), images.m[[0, 1, 0, 2], None]
    eps = model.draw(range(4), SHAPE)
    alone = torch.cat([model.whiten(eps[i : i + 1], m[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(model.whiten(eps, m), alone, atol=1e-5, rtol=0)
