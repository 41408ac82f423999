"""How fine are a cohort's labels for its grid? What a pixel more or less costs, before any model.

    python benchmarks/label_fineness.py COHORT

Over the patients with a lesion, on the network's grid: the label's width (twice the distance of its
pixels from its edge, median), the Dice of the true label with itself shifted by one pixel, grown by
one and shrunk by one (4 neighbours, in the plane), and how much of the scan's own lesion volume the
grid keeps. So a method that is off by a pixel has about that Dice.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.data.cohort import Cohort, open_cohort

CROSS = ndimage.generate_binary_structure(2, 1)[None]


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def fineness(y: NDArray[np.bool_]) -> dict[str, float]:
    """Of one label (Z, H, W) with at least one pixel."""
    shifted = [dice(y, np.roll(y, step, axis)) for axis in (1, 2) for step in (-1, 1)]
    depth = ndimage.distance_transform_edt(y, sampling=(1e6, 1, 1))
    return {
        "width, pixels": float(np.median(2 * depth[y])),
        "Dice, shifted by a pixel": float(np.mean(shifted)),
        "Dice, grown by a pixel": dice(y, ndimage.binary_dilation(y, CROSS)),
        "Dice, shrunk by a pixel": dice(y, ndimage.binary_erosion(y, CROSS)),
    }


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
    for name in sorted(cohort.patients):
        y = cohort.read(name).y > 0
        if float(cohort.patients[name]["volume_ml"]):
            found.setdefault("share of the volume kept", []).append(kept(cohort, name, y))
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


if __name__ == "__main__":
    main()
