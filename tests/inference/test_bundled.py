"""The cheap estimators against the papers' sums on a network that was really trained."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch

from strokediff.ct.grid import SliceGrid
from strokediff.ct.volume import CT, Source
from strokediff.inference.algorithm1 import Algorithm1
from strokediff.inference.estimator import Context, Sampler, Slices
from strokediff.inference.salient import Salient, Stratified
from strokediff.phantom.make import make_phantom
from strokediff.segmentation.model import load_model
from strokediff.weights import model_path

DRAWS = 24
T_I = 12
T_CHAIN = 30


@cache
def trained() -> tuple[Context, Slices]:
    """The bundled model, and the slice of a phantom that shows most of its lesion."""
    model = load_model(model_path("phantom-stroke"))
    made = make_phantom("hemorrhage", 3, matrix=96, thickness_mm=10.0)
    source = Source(Path("phantom"), "array", made.hu.shape, made.affine)
    volume = CT.from_source_array(made.hu, source)
    grid = SliceGrid(model.grid, volume, volume.from_source(made.brain))
    slices = grid.image(volume.hu)
    z = int(grid.label(volume.from_source(made.lesion)).sum(axis=(1, 2)).argmax())
    x, m = (torch.from_numpy(a[z : z + 1])[:, None] for a in (slices.x, slices.m))
    return Context(model.network, model.process, model.noise), Slices(x, m, [z], seed=0)


@cache
def statistics(sampler: Sampler) -> torch.Tensor:
    """Mean label and lesion area of DRAWS draws, (DRAWS, 2)."""
    context, slices = trained()
    rows = slices.rows([0] * DRAWS, list(range(DRAWS)))
    with torch.inference_mode():
        y_0 = sampler.draw(rows, context).double()
    inside = (rows.m > 0).flatten(1)
    flat = y_0.flatten(1)
    label = (flat * inside).sum(1) / inside.sum(1)
    area = ((flat > 0) & inside).double().sum(1)
    return torch.stack([label, area], dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("points", [1, 4, 10])
def test_strata_have_the_mean_label_of_the_sum_over_every_t(points: int) -> None:
    exact, ours = statistics(Salient(T_I))[:, 0], statistics(Stratified(T_I, points))[:, 0]
    error = ((exact.var() + ours.var()) / DRAWS).sqrt()
    assert abs(float(ours.mean() - exact.mean())) < 4 * float(error) + 1e-5


@pytest.mark.slow
def test_more_points_a_draw_scatter_less() -> None:
    one, ten = (float(statistics(Stratified(T_I, k))[:, 0].std()) for k in (1, 10))
    assert ten < one


@pytest.mark.slow
def test_a_strided_chain_finds_the_area_of_the_whole_chain() -> None:
    """Within a tenth: a trained network is no oracle, so a coarser chain differs a little."""
    whole, coarse = (float(statistics(Algorithm1(T_CHAIN, s))[:, 1].mean()) for s in (1, 5))
    assert whole > 20
    assert coarse == pytest.approx(whole, rel=0.1)
