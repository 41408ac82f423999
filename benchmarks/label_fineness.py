"""How fine are a cohort's labels for its grid? What a pixel more or less costs, before any model.

    python benchmarks/label_fineness.py COHORT

Over the patients with a lesion, on the network's grid: the label's width (through each of its
pixels the shorter of its runs along the rows and columns of the slice, median), the Dice of the
true label with itself shifted by one pixel, grown by one and shrunk by one (4 neighbours, in the
plane), and how much of the scan's own lesion volume the grid keeps. So a method that is off by a
pixel has about that Dice. Lesions are pieces that touch by a face, edge or corner, as `evaluate`
counts them; a crumb has one or two voxels.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.cohort.store import Cohort, open_cohort

CROSS = ndimage.generate_binary_structure(2, 1)[None]


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def runs(y: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    """Through each pixel of `y` the length of its run along `axis`; 0 elsewhere."""
    lines = np.pad(np.moveaxis(y, axis, -1), [*[(0, 0)] * (y.ndim - 1), (1, 1)])
    edges = np.diff(lines.reshape(-1).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    length = np.zeros(lines.size, np.int64)
    length[lines.reshape(-1)] = np.repeat(ends - starts, ends - starts)
    return np.moveaxis(length.reshape(lines.shape)[..., 1:-1], -1, axis)


def fineness(y: NDArray[np.bool_]) -> dict[str, float]:
    """Of one label (Z, H, W) with at least one pixel."""
    shifted = [dice(y, np.roll(y, step, axis)) for axis in (1, 2) for step in (-1, 1)]
    width = np.minimum(runs(y, 1), runs(y, 2))[y]
    return {
        "width, pixels": float(np.median(width)),
        "share of pixels where it is one or two wide": float((width <= 2).mean()),
        "Dice, shifted by a pixel": float(np.mean(shifted)),
        "Dice, grown by a pixel": dice(y, ndimage.binary_dilation(y, CROSS)),
        "Dice, shrunk by a pixel": dice(y, ndimage.binary_erosion(y, CROSS)),
    }


def pieces(y: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels of every connected piece (26 neighbours)."""
    labels, _ = ndimage.label(y, np.ones((3, 3, 3)))
    return np.bincount(labels.reshape(-1))[1:]


def kept(cohort: Cohort, name: str, y: NDArray[np.bool_]) -> float:
    """The volume on the grid over that of the scan's own mask."""
    depth = cohort.slice_spacing_mm(name) or float("nan")
    grid_ml = y.sum() * cohort.grid.spacing_mm**2 * depth / 1000
    own_ml = float(cohort.patients[name]["volume_ml"])
    return float(grid_ml / own_ml) if own_ml else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohort", type=Path)
    cohort = open_cohort(parser.parse_args().cohort)
    found: dict[str, list[float]] = {}
    sizes = []
    for name in sorted(cohort.patients):
        y = cohort.read(name).y > 0
        if float(cohort.patients[name]["volume_ml"]):
            found.setdefault("share of the volume kept", []).append(kept(cohort, name, y))
        sizes.append(pieces(y))
        for key, value in (fineness(y) if y.any() else {}).items():
            found.setdefault(key, []).append(value)
    n = len(found["share of the volume kept"])
    size, pixel = cohort.grid.size, cohort.grid.spacing_mm
    print(
        f"{n} patients of {cohort.origin.get('description')}, {size} pixels of {pixel} mm, ", end=""
    )
    print(date.today())
    print("\n| | mean | 10 % | median | 90 % |\n| --- | --- | --- | --- | --- |")
    for key, values in found.items():
        low, median, high = np.nanquantile(values, [0.1, 0.5, 0.9])
        print(f"| {key} | {np.nanmean(values):.2f} | {low:.2f} | {median:.2f} | {high:.2f} |")
    every = np.concatenate(sizes)
    print(f"\n{len(every)} lesions, {(every <= 2).sum()} of them crumbs")


if __name__ == "__main__":
    main()
