"""How fine are a cohort's labels for its grid? What a pixel more or less costs, before any model.

A method that is off by a pixel has about that Dice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.benchmark.tables import ruled
from strokediff.cohort.store import Cohort
from strokediff.evaluation.metrics import Confusion

KEPT = "share of the volume kept"
CROSS = ndimage.generate_binary_structure(2, 1)[None]


def label_fineness(cohort: Cohort) -> list[str]:
    """Over the patients with a lesion, on the network's grid; and how many lesions are crumbs.

    Lesions are pieces that touch by a face, edge or corner, as `evaluate` counts them; a crumb has
    one or two voxels.
    """
    found: dict[str, list[float]] = {}
    sizes = []
    for name in sorted(cohort.patients):
        y = cohort.read(name).y > 0
        own = _kept(cohort, name, y) | (fineness(y) if y.any() else {})
        for key, value in own.items():
            found.setdefault(key, []).append(value)
        sizes.append(_pieces(y))
    cells = [
        [key, *(f"{v:.2f}" for v in (np.nanmean(own), *np.nanquantile(own, [0.1, 0.5, 0.9])))]
        for key, own in found.items()
    ]
    every = np.concatenate(sizes)
    grid = f"{cohort.grid.size} pixels of {cohort.grid.spacing_mm} mm"
    return [
        *(f"{len(found[KEPT])} patients of {cohort.origin.get('description')}, {grid}", ""),
        *ruled(("", "mean", "10 %", "median", "90 %"), cells),
        *("", f"{len(every)} lesions, {(every <= 2).sum()} of them crumbs"),
    ]


def fineness(y: NDArray[np.bool_]) -> dict[str, float]:
    """Of one label (Z, H, W) with at least one pixel.

    A pixel's width is the shorter of its runs along the rows and columns of its slice. The true
    label is set against itself, shifted by one pixel, grown by one and shrunk by one (4 neighbours,
    in the plane).
    """
    shifted = [_dice(y, np.roll(y, step, axis)) for axis in (1, 2) for step in (-1, 1)]
    width = np.minimum(_runs(y, 1), _runs(y, 2))[y]
    return {
        "width, pixels": float(np.median(width)),
        "share of pixels where it is one or two wide": float((width <= 2).mean()),
        "Dice, shifted by a pixel": float(np.mean(shifted)),
        "Dice, grown by a pixel": _dice(y, ndimage.binary_dilation(y, CROSS)),
        "Dice, shrunk by a pixel": _dice(y, ndimage.binary_erosion(y, CROSS)),
    }


def _dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return Confusion.of(a, b).dice


def _runs(y: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    """Through each pixel of `y` the length of its run along `axis`; 0 elsewhere."""
    lines = np.pad(np.moveaxis(y, axis, -1), [*[(0, 0)] * (y.ndim - 1), (1, 1)])
    edges = np.diff(lines.reshape(-1).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    length = np.zeros(lines.size, np.int64)
    length[lines.reshape(-1)] = np.repeat(ends - starts, ends - starts)
    return np.moveaxis(length.reshape(lines.shape)[..., 1:-1], -1, axis)


def _pieces(y: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels of every connected piece (26 neighbours)."""
    labels, _ = ndimage.label(y, np.ones((3, 3, 3)))
    return np.bincount(labels.reshape(-1))[1:]


def _kept(cohort: Cohort, name: str, y: NDArray[np.bool_]) -> dict[str, float]:
    """How much of the volume of the scan's own mask the grid keeps; nothing without a lesion."""
    own_ml = float(cohort.patients[name]["volume_ml"])
    depth = cohort.slice_spacing_mm(name) or float("nan")
    grid_ml = y.sum() * cohort.grid.spacing_mm**2 * depth / 1000
    return {KEPT: float(grid_ml / own_ml)} if own_ml else {}
