"""Seconds and volume of brain extraction, and a contact sheet of the outline on every slice.

    python benchmarks/brain.py INPUT [INPUT ...] [--sheets DIR]

INPUT is whatever `strokediff segment` takes. `cpu` is processor time, which a busy machine does
not stretch.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from strokediff.ct.brain import extract_brain
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.ct.volume import CT
from strokediff.errors import StrokediffError

WINDOW_HU = (0.0, 80.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--sheets", type=Path, help="folder for one PNG a head")
    options = parser.parse_args()
    table = Table("head", "grid", "slices mm", "seconds", "cpu", "mL", "truncated", "remarks")
    for path in options.inputs:
        for case in discover(path).cases:
            table.add_row(case.name, *_row(load_case(case), options.sheets, case.name))
    Console(width=140).print(table)


def _row(volume: CT, sheets: Path | None, name: str) -> list[str]:
    wall, cpu = time.perf_counter(), time.process_time()
    grid = " x ".join(map(str, volume.hu.shape))
    spacing = f"{volume.spacing_mm[2]:.1f}"
    try:
        brain = extract_brain(volume)
    except StrokediffError as error:
        return [grid, spacing, f"{time.perf_counter() - wall:.1f}", "", "", "", str(error)]
    seconds = [f"{time.perf_counter() - wall:.1f}", f"{time.process_time() - cpu:.1f}"]
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        _contact_sheet(volume, brain.mask, sheets / f"{name}.png")
    remarks = " ".join(brain.warnings)
    return [grid, spacing, *seconds, f"{brain.volume_ml:.0f}", str(brain.truncated), remarks]


def _contact_sheet(volume: CT, mask: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    count = volume.hu.shape[2]
    columns = min(8, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 3.1 * rows), squeeze=False)
    figure.set_facecolor("black")
    low, high = WINDOW_HU
    sx, sy = volume.pixel_spacing_mm
    for k, axis in enumerate(axes.flat):
        axis.axis("off")
        if k < count:
            axis.imshow(
                volume.hu[:, :, k].T,
                cmap="gray",
                vmin=low,
                vmax=high,
                origin="lower",
                aspect=sy / sx,
            )
            if mask[:, :, k].any():
                axis.contour(mask[:, :, k].T, levels=[0.5], colors="red", linewidths=0.6)
    figure.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
