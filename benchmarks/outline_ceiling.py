"""What Dice the experts' outlines leave room for: of a lesion whose place is known already.

    python benchmarks/outline_ceiling.py SCANS [--within-mm 2] [--shift-mm 1]

SCANS are labelled scans with bright lesions, CT-ICH say. For every scan the true mask is widened in
the plane by so much, and in it the best single threshold of all is taken, which the truth itself
chooses: no method that reads the lesion from its brightness outlines it better by much. Beside it
is the Dice of the true mask with itself, moved sideways by `--shift-mm`: what a boundary so far off
costs lesions so thin. Neither is a bound in theory; both are what is left once all are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.benchmark.tables import ruled
from strokediff.cohort.labelled import find_scans
from strokediff.cohort.masks import MaskReader
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.volume import CT
from strokediff.evaluation.metrics import Confusion

THRESHOLDS_HU = range(20, 70, 2)
BONE_HU, BRIGHTEST_HU = 150.0, 110.0
SMOOTH_MM = 1.0
LARGE_ML = 10.0
COLUMNS = ("scans", "n", "best threshold at the place", "true mask, moved")


@dataclass(frozen=True)
class Ceiling:
    """One scan: its lesion's volume, and both Dice."""

    volume_ml: float
    threshold: float
    moved: float


def ceiling(ct: CT, truth: NDArray[np.bool_], within_mm: float, shift_mm: float) -> Ceiling:
    """Of the slices that show the lesion; bone is never it."""
    shown = np.flatnonzero(truth.any(axis=(0, 1)))
    true, hu = truth[:, :, shown], ct.hu[:, :, shown].astype(np.float32)
    x_mm, y_mm = ct.pixel_spacing_mm
    smooth = ndimage.gaussian_filter(hu, (SMOOTH_MM / x_mm, SMOOTH_MM / y_mm, 0))
    apart = ndimage.distance_transform_edt(~true, sampling=(x_mm, y_mm, 1e6))
    place = (apart <= within_mm) & (hu <= BONE_HU) & (smooth <= BRIGHTEST_HU)
    best = max(Confusion.of(place & (smooth > hu_), true).dice for hu_ in THRESHOLDS_HU)
    moved = np.roll(true, max(1, round(shift_mm / x_mm)), axis=0)
    volume_ml = ct.mask_volume_mm3(truth) / 1000
    return Ceiling(volume_ml, best, Confusion.of(moved, true).dice)


def row(name: str, scans: Sequence[Ceiling]) -> list[str]:
    """Means over scans."""
    means = [[own.threshold for own in scans], [own.moved for own in scans]]
    return [name, str(len(scans)), *(f"{np.mean(v):.2f}" if v else "-" for v in means)]


def main(scans: Path, within_mm: float = 2.0, shift_mm: float = 1.0) -> None:
    found = []
    for scan in find_scans(scans):
        ct = read_nifti(scan.image)
        truth = MaskReader().on(scan.label, ct)[0]
        if truth.any():
            found.append(ceiling(ct, truth, within_mm, shift_mm))
    large = [own for own in found if own.volume_ml > LARGE_ML]
    small = [own for own in found if own.volume_ml <= LARGE_ML]
    groups = {"with a lesion": found, "above 10 mL": large, "up to 10 mL": small}
    print("\n".join(ruled(COLUMNS, [row(name, own) for name, own in groups.items()])))


if __name__ == "__main__":
    typer.run(main)
