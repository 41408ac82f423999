"""Laws of the continuous max-flow: optimal against a graph cut, never worse than a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow

from strokediff.ct.brain.max_flow import (
    continuous_max_flow,
    energy,
    project_grid,
    project_isotropic,
)

SCALE = 10_000


def _problem(seed: int, shape: tuple[int, int] = (11, 9)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cost = rng.normal(size=shape).astype(np.float32)
    return cost, rng.uniform(0.1, 0.8, shape).astype(np.float32)


def _minimal_cut_energy(cost: np.ndarray, weight: np.ndarray) -> float:
    """Least energy over binary labels on the 4-neighbour grid, by combinatorial max-flow."""
    index = np.arange(cost.size).reshape(cost.shape)
    source, sink = cost.size, cost.size + 1
    edges: list[tuple[int, int, float]] = []
    for (i, j), price in np.ndenumerate(cost):
        edges.append((source, index[i, j], -price) if price < 0 else (index[i, j], sink, price))
        for a, b in ((i + 1, j), (i, j + 1)):
            if a < cost.shape[0] and b < cost.shape[1]:
                edges += [(index[i, j], index[a, b], weight[i, j])]
                edges += [(index[a, b], index[i, j], weight[i, j])]
    rows, columns, values = zip(*edges, strict=True)
    capacity = np.round(np.array(values) * SCALE).astype(np.int32)
    graph = csr_matrix((capacity, (rows, columns)), shape=(cost.size + 2, cost.size + 2))
    flow = maximum_flow(graph, source, sink).flow_value
    return flow / SCALE + float(np.minimum(cost, 0).sum())


@pytest.mark.parametrize("seed", range(4))
def test_thresholded_label_is_a_minimal_graph_cut(seed):
    """With the grid's length, relaxed and binary optimum agree with a combinatorial cut."""
    cost, weight = _problem(seed)
    label = continuous_max_flow(
        cost, weight, project=project_grid, tolerance=1e-7, max_iterations=3000
    )
    least = _minimal_cut_energy(cost, weight)
    for u in (label, (label > 0.5).astype(np.float32)):
        assert energy(u, cost, weight, project=project_grid) == pytest.approx(least, abs=5e-3)


@pytest.mark.parametrize("project", [project_isotropic, project_grid])
@pytest.mark.parametrize("seed", range(4))
def test_energy_is_not_above_the_data_terms_own_label(seed, project):
    """Both the relaxed label and its threshold cost no more than thresholding the data term."""
    cost, weight = _problem(seed, (40, 30))
    naive = energy((cost < 0).astype(np.float32), cost, weight, project=project)
    label = continuous_max_flow(cost, weight, project=project)
    assert energy(label, cost, weight, project=project) <= naive
    assert energy((label > 0.5).astype(np.float32), cost, weight, project=project) <= naive


def test_without_contour_price_the_data_term_decides():
    cost, weight = _problem(7)
    label = continuous_max_flow(cost, np.zeros_like(weight), max_iterations=1000)
    clear = np.abs(cost) > 0.05
    assert np.array_equal((label > 0.5)[clear], (cost < 0)[clear])


def test_label_does_not_depend_on_where_it_starts():
    """The programme is convex: any start ends at the same energy."""
    cost, weight = _problem(3, (30, 30))
    energies = [
        energy(
            continuous_max_flow(cost, weight, start=start, tolerance=1e-6, max_iterations=3000),
            cost,
            weight,
        )
        for start in (np.zeros_like(cost), np.ones_like(cost))
    ]
    assert energies[0] == pytest.approx(energies[1], rel=1e-3)


def test_isotropic_length_of_a_disc_is_its_circumference():
    """A disc's contour costs 2 pi r to a few per cent, whatever its direction on the grid."""
    x, y = np.mgrid[-40:41, -40:41]
    disc = np.clip(0.5 + (25 - np.hypot(x, y)) / 4, 0, 1).astype(np.float32)
    length = energy(disc, np.zeros_like(disc), np.ones_like(disc))
    assert length == pytest.approx(2 * np.pi * 25, rel=0.02)
