"""Two-region segmentation as a convex programme, solved by continuous max-flow.

Minimise over the relaxed label u in [0, 1]

    E(u) = sum_x cost(x) u(x) + sum_x weight(x) |grad u(x)|

with forward differences on a grid of `weight`'s unit. Its dual is a maximal flow from a source
to a sink with the spatial flow bounded by `weight`; the label is the multiplier of the
conservation of flow. Any threshold of a minimiser in (0, 1) is a globally optimal region.

Yuan, Bae, Tai: A study on continuous max-flow and min-cut approaches. CVPR 2010. This is
the convex solver family of the papers' brain extraction (Najm et al., CMPB 176, 2019).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from strokediff.ct.arrays import Array

Project = Callable[[Array, Array, Array], None]

FLOW_STEP = 0.16
"""Step of the projected gradient on the spatial flow; stable below 1/4 in two dimensions."""

AUGMENTATION = 0.35
"""Weight c of the augmented Lagrangian, in units of the cost: changes speed, not the answer."""


def project_isotropic(px: Array, py: Array, weight: Array) -> None:
    """Bring the flow back to |p(x)|_2 <= weight(x), in place: contour length as a ruler sees it."""
    norm = np.sqrt(px * px + py * py)
    scale = weight / np.maximum(np.maximum(norm, weight), np.finfo(np.float32).tiny)
    px *= scale
    py *= scale


def project_grid(px: Array, py: Array, weight: Array) -> None:
    """Bring the flow back to |p_x|, |p_y| <= weight, in place: the length of a graph cut."""
    np.clip(px, -weight, weight, out=px)
    np.clip(py, -weight, weight, out=py)


def _gradient(field: Array) -> tuple[Array, Array]:
    gx, gy = np.zeros_like(field), np.zeros_like(field)
    np.subtract(field[1:], field[:-1], out=gx[:-1])
    np.subtract(field[:, 1:], field[:, :-1], out=gy[:, :-1])
    return gx, gy


def _divergence(px: Array, py: Array) -> Array:
    div = px + py
    div[1:] -= px[:-1]
    div[:, 1:] -= py[:, :-1]
    return div


def energy(
    label: Array, cost: Array, weight: Array, *, project: Project = project_isotropic
) -> float:
    """E(u) of the module's formula, with the length that belongs to `project`."""
    gx, gy = _gradient(np.asarray(label, dtype=np.float32))
    length = np.hypot(gx, gy) if project is project_isotropic else np.abs(gx) + np.abs(gy)
    return float(np.sum(cost * label, dtype=np.float64) + np.sum(weight * length, dtype=np.float64))


def continuous_max_flow(
    cost: Array,
    weight: Array,
    *,
    project: Project = project_isotropic,
    start: Array | None = None,
    tolerance: float = 2e-4,
    max_iterations: int = 300,
) -> Array:
    """Return the relaxed label u (X, Y) in [0, 1] that minimises E.

    `cost` (X, Y) is the price of labelling a pixel 1 minus that of labelling it 0; `weight`
    (X, Y) the price of a unit of contour. `start` is a label to begin from. Ends when u changes
    by less than `tolerance` on average in an iteration.
    """
    source = np.maximum(-cost, 0).astype(np.float32)  # capacity of pixel <- source
    sink = np.maximum(cost, 0).astype(np.float32)  # capacity of pixel -> sink
    weight = weight.astype(np.float32)
    label = ((cost < 0) if start is None else start).astype(np.float32)
    from_source = np.minimum(source, sink)
    to_sink = from_source.copy()
    px, py = np.zeros_like(label), np.zeros_like(label)
    div = np.zeros_like(label)
    c = AUGMENTATION
    for iteration in range(max_iterations):
        gx, gy = _gradient(div - from_source + to_sink - label / c)
        # The flow of the last row and column has no neighbour to go to: its gradient is zero.
        px += FLOW_STEP * gx
        py += FLOW_STEP * gy
        project(px, py, weight)
        div = _divergence(px, py)
        from_source = np.minimum(div + to_sink - label / c + 1 / c, source)
        to_sink = np.minimum(from_source - div + label / c, sink)
        excess = c * (div - from_source + to_sink)
        label -= excess
        if iteration % 10 == 9 and float(np.abs(excess).mean()) < tolerance:
            break
    return np.clip(label, 0, 1)
