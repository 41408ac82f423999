"""What can be seen of the lesions on single slices: how much darker they are, in how much noise.

    python benchmarks/slice_contrast.py DATA

DATA is that of external_slices.py. Each slice is laid on pixels of 1.25 mm and compared with its
mirror image about the midline, smoothed by 2.5 mm: printed is the median difference inside the
lesion (and inside an infarct's core, drawn in red), how much the two sides differ elsewhere, and
the noise of a pixel. A lesion that differs by less than the sides do is not in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from external_slices import SETS, Slices, read
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.benchmark.tables import ruled
from strokediff.ct.brain import extract_brain
from strokediff.ct.grid import GridConfig, SliceGrid
from strokediff.ct.midline import find_midline
from strokediff.errors import InputError

GRID = GridConfig(size=160, spacing_mm=1.25)
SMOOTH_PIXELS = 2.0
TISSUE_HU = (15.0, 60.0)
"""Smoothed values between fluid and blood or bone."""
LEAST_PIXELS = 20
COLUMNS = (
    *("set", "slices", "lesion, HU", "core, HU", "sides elsewhere, SD, HU", "noise, HU"),
    "lesions beyond 1 SD",
)


@dataclass(frozen=True)
class Contrast:
    """One slice, HU: the lesion and its core against the other side; NaN where too few pixels."""

    lesion: float
    core: float
    elsewhere: float
    noise: float


def contrast(path: Path, of: Slices) -> Contrast | None:
    """Of a picture; None where no brain is found in it."""
    ct, lesion, core = read(path, of)
    try:
        grid = SliceGrid(GRID, ct, extract_brain(ct).mask)
    except InputError:
        return None
    slices = grid.image(ct.hu)
    x, m = slices.x[0], slices.m[0].astype(float)
    hu = GRID.window_level + x * GRID.window_width / 2
    weight = np.maximum(ndimage.gaussian_filter(m, SMOOTH_PIXELS), 1e-3)
    smooth = ndimage.gaussian_filter(hu * m, SMOOTH_PIXELS) / weight
    midline = find_midline(slices.x, slices.m)
    other, there = midline.mirrored(smooth * m), midline.mirrored(m) > 0.99
    low, high = TISSUE_HU
    used = (m > 0) & there & (np.minimum(smooth, other) > low) & (np.maximum(smooth, other) < high)
    apart = smooth - other
    inside, red = (grid.label(mask)[0] > 0 for mask in (lesion, core))
    return Contrast(
        lesion=_median(apart[used & inside]),
        core=_median(apart[used & red]),
        elsewhere=float(np.std(apart[used & ~inside])),
        noise=float(np.std((hu - smooth)[used])),
    )


def row(of: Slices, slices: Sequence[Contrast]) -> list[str]:
    """Medians of a set over its slices, with quartiles for the lesion."""
    lesion = [own.lesion for own in slices if not np.isnan(own.lesion)]
    core = [own.core for own in slices if not np.isnan(own.core)]
    low, middle, high = np.percentile(lesion, (25, 50, 75)) if lesion else (np.nan,) * 3
    beyond = sum(abs(own.lesion) > own.elsewhere for own in slices)
    return [
        of.name,
        str(len(slices)),
        f"{middle:.1f} ({low:.1f} to {high:.1f})",
        f"{np.median(core):.1f} ({len(core)} slices)" if core else "-",
        f"{np.median([own.elsewhere for own in slices]):.1f}" if slices else "-",
        f"{np.median([own.noise for own in slices]):.1f}" if slices else "-",
        f"{beyond} of {len(lesion)}",
    ]


def main(data: Path) -> None:
    cells = []
    for of in SETS:
        found = [contrast(path, of) for path in sorted((data / of.name / "images").iterdir())]
        cells.append(row(of, [own for own in found if own is not None]))
    print("\n".join(ruled(COLUMNS, cells)))


def _median(values: NDArray[np.floating]) -> float:
    return float(np.median(values)) if len(values) >= LEAST_PIXELS else float("nan")


if __name__ == "__main__":
    typer.run(main)
