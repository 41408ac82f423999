"""Where air, soft tissue and bone lie in an image's histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from strokediff.ct.arrays import AIR_BELOW_HU, BONE_HU, Array

BRAIN_HU = (0.0, 100.0)
AIR_RANGE_HU = (-1150.0, -800.0)
"""Where air lies, of whatever kernel and calibration: half of all that is darker than fat."""
IMPOSSIBLE_HU = -1300.0
"""Below it not even a bone kernel's noise puts much air."""
SOFT_MODE_HU = (-20.0, 100.0)
"""Where the commonest of the values from -200 to 140 lies: in brain, CSF, muscle or blood."""
FAT_BELOW_HU = -60.0
SAMPLE = 400_000
_BINS, APART = 2048, 200
"""Of the histogram whose two highest peaks are sought, and how many bins lie between them."""


@dataclass(frozen=True)
class Landmarks:
    """Shares of a sample of voxels without padding, as HU.

    `air`, `fat` (with the skin's edge) and `impossible` are shares of all; `soft` and `bone` of
    what is denser than fat's edge to air; `soft_mode` the commonest value from -200 to 140.
    """

    air: float
    dark: float
    dark_median: float
    fat: float
    impossible: float
    soft: float
    bone: float
    soft_mode: float

    @classmethod
    def of(cls, hu: Array) -> Landmarks:
        """Measure a sample of voxels (N,)."""
        n = max(1, hu.size)
        tissue = hu[hu > -300]
        dark = hu[hu < AIR_BELOW_HU]
        counts = np.histogram(hu, bins=85, range=(-200, 140))[0].astype(float)
        mode = -200 + 4 * (float(ndimage.gaussian_filter1d(counts, 1.5).argmax()) + 0.5)
        within = (tissue >= BRAIN_HU[0] - 10) & (tissue <= BRAIN_HU[1])
        return cls(
            air=np.count_nonzero(hu < -850) / n,
            dark=dark.size / n,
            dark_median=float(np.median(dark)) if dark.size else -1000.0,
            fat=np.count_nonzero((hu < FAT_BELOW_HU) & (hu > -850)) / n,
            impossible=np.count_nonzero(hu < IMPOSSIBLE_HU) / n,
            soft=np.count_nonzero(within) / max(1, tissue.size),
            bone=np.count_nonzero(tissue >= BONE_HU) / max(1, tissue.size),
            soft_mode=mode,
        )

    @property
    def could_be_hu(self) -> bool:
        """Whether nothing contradicts HU; air may be missing where the field of view is tight."""
        return (
            self.soft >= 0.03
            and self.bone >= 0.005
            and self.impossible <= 0.02
            and SOFT_MODE_HU[0] <= self.soft_mode <= SOFT_MODE_HU[1]
            and (self.dark < 0.1 or AIR_RANGE_HU[0] <= self.dark_median <= AIR_RANGE_HU[1])
        )

    @property
    def all_three(self) -> bool:
        """Whether air, soft tissue and bone are there beyond doubt, and fat's edge between."""
        return (
            self.could_be_hu
            and self.air >= 0.02
            and self.fat >= 0.01
            and self.soft >= 0.2
            and self.soft > self.bone >= 0.02
        )


def thinned(values: Array) -> Array:
    """A view of voxels evenly spread along each axis, about `SAMPLE` in all."""
    step = max(1, int((values.size / SAMPLE) ** (1 / 3) + 0.5))
    return values[(slice(step // 2, None, step),) * values.ndim]


def sampled(values: Array, padding: tuple[float, ...]) -> Array:
    """The thinned voxels without padding, (N,)."""
    some = np.ravel(thinned(values))
    return np.asarray(some[~np.isin(some, np.array(padding, np.float32))])


def commonest(sample: Array) -> float:
    """Share of the commonest value; 0 if there is none."""
    return float(np.unique(sample, return_counts=True)[1].max(initial=0)) / max(1, sample.size)


def brain_share(values: Array) -> float:
    """Share of all voxels from 0 to 100 HU."""
    some = thinned(values)
    return np.count_nonzero((some >= BRAIN_HU[0]) & (some <= BRAIN_HU[1])) / some.size


def two_peaks(sample: Array) -> tuple[float, float] | None:
    """Array of the two highest peaks of the histogram, lower first: air and soft tissue."""
    if sample.size < 100:
        return None
    low, high = np.percentile(sample, [0.1, 99.9])
    if not high > low:
        return None
    counts, edges = np.histogram(sample, bins=_BINS, range=(low, high))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 2.0)
    first = int(smooth.argmax())
    apart = np.abs(np.arange(_BINS) - first) > APART
    second = int(np.where(apart, smooth, -1).argmax())
    if smooth[second] < 0.02 * smooth[first]:
        return None
    width = 4 * (edges[1] - edges[0])
    found = sorted(
        float(np.median(sample[np.abs(sample - edges[i]) <= width])) for i in (first, second)
    )
    return found[0], found[1]
