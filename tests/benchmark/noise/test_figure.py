"""The noise figure: a picture for any number of columns and any support."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from strokediff.benchmark.noise.figure import Column, noise_figure
from strokediff.benchmark.noise.measure import exact_components, measure, support_of


def column(name: str, scale: float, offset: float = 0.0, side: int = 20) -> Column:
    g = torch.Generator().manual_seed(len(name))
    images = torch.randn(12, side, side, generator=g)
    masks = torch.zeros(12, side, side)
    masks[:, 3:15, 4:12] = 1
    draws = scale * torch.randn(16, side, side, generator=g) + offset
    return Column(name, draws[:2], measure(draws, exact_components(images, support_of(masks))))


@pytest.mark.parametrize("models", [(), ("a",), ("a", "b", "c", "d", "e", "f", "g")])
def test_every_number_of_models_makes_a_picture(models: tuple[str, ...]) -> None:
    columns = [column("images", 0.2), *(column(name, 1.0) for name in models)]
    picture = np.asarray(Image.open(io.BytesIO(noise_figure(columns))).convert("L"))
    assert picture.shape[1] >= 1300
    assert picture.std() > 10


def test_the_same_figures_make_the_same_bytes() -> None:
    columns = [column("images", 0.2), column("a", 1.0)]
    assert noise_figure(columns) == noise_figure(columns)


def test_noise_of_no_variance_can_be_drawn() -> None:
    flat = column("flat", 1e-30, offset=0.5)
    assert noise_figure([column("images", 0.2), flat]).startswith(b"\x89PNG")


def test_maps_compare_across_models() -> None:
    """Models share their scales: a larger offset elsewhere makes this model's map paler."""
    alone = noise_figure([column("images", 0.2), column("a", 1.0)])
    beside = noise_figure([column("images", 0.2), column("a", 1.0), column("bb", 1.0, offset=9.0)])
    first, second = (np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in (alone, beside))
    assert colourful(second[:, second.shape[1] // 3 : 2 * second.shape[1] // 3]) < colourful(
        first[:, first.shape[1] // 2 :]
    )


def colourful(picture: np.ndarray) -> float:
    """Mean distance between red and blue in the third row of pictures."""
    height = picture.shape[0]
    row = picture[int(0.38 * height) : int(0.52 * height)].astype(float)
    return float(np.abs(row[..., 0] - row[..., 2]).mean())
