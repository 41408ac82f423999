"""From a head to the network's grid and back, slice by slice.

In-plane resampling is separable, so it is a pair of matrices a volume: rows @ slice @ columns.
They are sparse, and multiplied as such: a threaded BLAS rounds differently with every number of
cores, and the same scan must give the same pixels on any machine. The way in averages over the
network's pixel (a triangle filter, as antialiased bilinear resizing); the way back is linear
interpolation. Both are normalised by the mask, so that skull never bleeds into the brain and the
cortex keeps its full value. A label keeps its volume: of a rim thinner than a pixel, "at least
half covered" would leave little, of a small infarct nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from strokediff.ct.axes import transposed
from strokediff.ct.volume import CT

COVERED = 1e-3
"""Share of a pixel that must lie in the mask for a normalised value to be trusted."""


class GridConfig(BaseModel):
    """The network's grid: size x size pixels of spacing_mm, and the HU window on it.

    >>> grid = GridConfig(size=192, spacing_mm=1.0)
    >>> grid.windowed(np.array([-20.0, 40.0, 60.0])).tolist()
    [-1.0, 0.0, 0.5]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(96, ge=8)
    spacing_mm: float = Field(2.0, gt=0)
    window_level: float = 40.0
    window_width: float = Field(80.0, gt=0)

    def windowed(self, hu: NDArray[Any]) -> NDArray[np.float32]:
        """HU to [-1, 1]: (hu - level) / (width / 2), clipped."""
        scaled = (hu - self.window_level) / (self.window_width / 2)
        return np.clip(scaled, -1.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class NetworkSlices:
    """Every slice of a head on the network's grid: x and m are (Z, size, size), float32.

    x is in [-1, 1] inside the brain and 0 outside; m is 0 or 1; rows run along y, columns
    along x.
    """

    x: NDArray[np.float32]
    m: NDArray[np.float32]


class SliceGrid:
    """The network's grid laid over one head, centred on its brain."""

    def __init__(self, config: GridConfig, volume: CT, brain: NDArray[np.bool_]) -> None:
        self.config = config
        self.brain = brain
        spacing = volume.pixel_spacing_mm
        centre = centre_of(brain)
        sides = [
            (brain.shape[axis], spacing[axis], centre[axis], config.size, config.spacing_mm)
            for axis in (0, 1)
        ]
        self._in = _Separable(*(_averaging(*side) for side in sides))
        self._cover = _Separable(*(_covering(*side) for side in sides))
        self._out = _Separable(*(_interpolating(*side) for side in sides))
        self._m = self._resample(brain) >= 0.5

    @property
    def cut_off_fraction(self) -> float:
        """Share of the brain's voxels that lie outside the network's grid."""
        inside = self.brain[np.ix_(*self._out.used)].sum()
        return float(1.0 - inside / max(1, self.brain.sum()))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The brain on the network's grid, (Z, size, size)."""
        return self._m

    def image(self, hu: NDArray[np.float32]) -> NetworkSlices:
        """Window, resample inside the mask, and set everything outside to 0."""
        x = self.sampled(self.config.windowed(hu))
        return NetworkSlices(x, self._m.astype(np.float32))

    def sampled(self, values: NDArray[np.float32], elsewhere: float = 0.0) -> NDArray[np.float32]:
        """Any values (X, Y, Z), resampled inside the mask: (Z, size, size); `elsewhere` outside."""
        weighted = self._resample(values * self.brain)
        inside = weighted / np.maximum(self._resample(self.brain), COVERED)
        return np.where(self._m, inside, elsewhere).astype(np.float32)

    def image_with_rim(self, hu: NDArray[np.float32], rim_mm: float) -> NDArray[np.float32]:
        """As `image`, and beyond the mask, for `rim_mm` in the plane, what really lies there."""
        slices = self.image(hu)
        rim = widened(self._m, rim_mm, self.config.spacing_mm) & ~self._m
        return np.where(rim, self._resample(self.config.windowed(hu)), slices.x)

    def label(self, lesion: NDArray[Any]) -> NDArray[np.uint8]:
        """A lesion mask (X, Y, Z) on the network's grid: in every slice the pixels most covered.

        As many as make up the lesion's area in the mask, to half a pixel; of those covered alike
        the first.
        """
        covered = transposed(self._cover(lesion)) * self._m
        return np.stack([_most_covered(one) for one in covered])

    def to_volume(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values (Z, size, size) inside the mask, back on the head's grid (X, Y, Z).

        Linear in the plane, normalised by the mask; 0 outside the brain.
        """
        m = self._m.astype(np.float32)
        value = self._back(values.astype(np.float32) * m)
        weight = self._back(m)
        return np.where(self.brain & (weight > COVERED), value / np.maximum(weight, COVERED), 0.0)

    def _resample(self, array: NDArray[Any]) -> NDArray[np.float32]:
        return np.ascontiguousarray(transposed(self._in(array)))

    def _back(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._out(transposed(slices))


class _Separable:
    """A pair of matrices (A, X) and (B, Y): (X, Y, Z) -> (A, B, Z), slice by slice.

    Each sum runs over the weights that are not 0, in their order: the same bytes everywhere.
    """

    def __init__(self, along_x: NDArray[np.float32], along_y: NDArray[np.float32]) -> None:
        self._x, self._y = sparse.csr_array(along_x), sparse.csr_array(along_y)

    @property
    def used(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of either matrix that have a weight."""
        return np.flatnonzero(np.diff(self._x.indptr)), np.flatnonzero(np.diff(self._y.indptr))

    def __call__(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """In single precision."""
        (a, x), (b, y), z = self._x.shape, self._y.shape, array.shape[2]
        flat = np.ascontiguousarray(array, dtype=np.float32).reshape(x, y * z)
        along_x = np.asarray(self._x @ flat).reshape(a, y, z)
        turned = np.ascontiguousarray(np.swapaxes(along_x, 0, 1)).reshape(y, a * z)
        return np.swapaxes(np.asarray(self._y @ turned).reshape(b, a, z), 0, 1)


def widened(m: NDArray[np.bool_], by_mm: float, spacing_mm: float) -> NDArray[np.bool_]:
    """Masks (..., S, S) grown by `by_mm` in the plane, shrunk where it is negative.

    What lies off the grid counts as neither inside nor outside.
    """
    if by_mm < 0:
        return ~widened(~m, -by_mm, spacing_mm)
    out, reach = m.copy(), int(by_mm / spacing_mm) + 1
    rows, columns = m.shape[-2:]
    for dy in range(-min(reach, rows - 1), min(reach, rows - 1) + 1):
        for dx in range(-min(reach, columns - 1), min(reach, columns - 1) + 1):
            if np.hypot(dy, dx) * spacing_mm <= by_mm:
                out[..., _to(dy), _to(dx)] |= m[..., _to(-dy), _to(-dx)]
    return out


def _to(shift: int) -> slice:
    """What is there of an axis that is moved by so many pixels."""
    return slice(max(shift, 0), min(shift, 0) or None)


def centre_of(brain: NDArray[np.bool_]) -> tuple[float, float]:
    """Centre of the brain's bounding box, in pixel indices along x and y."""
    centres = []
    for axis in (0, 1):
        used = np.flatnonzero(brain.any(axis=(1 - axis, 2)))
        low, high = (used[0], used[-1]) if len(used) else (0, brain.shape[axis] - 1)
        centres.append((low + high) / 2)
    return centres[0], centres[1]


def _positions(pixel_mm: float, centre: float, size: int, spacing_mm: float) -> NDArray[np.float64]:
    """Index on the head's axis of each of the grid's pixel centres, (size,)."""
    steps = np.arange(size, dtype=np.float64) - (size - 1) / 2
    return np.asarray(centre + steps * spacing_mm / pixel_mm)


def _averaging(
    n: int, pixel_mm: float, centre: float, size: int, spacing_mm: float
) -> NDArray[np.float32]:
    """(size, n): triangle weights as wide as the coarser of the two pixels; what lies off the
    image counts as 0."""
    reach = max(1.0, spacing_mm / pixel_mm)
    at = _positions(pixel_mm, centre, size, spacing_mm)
    first, last = min(0, int(at[0] - reach) - 1), max(n, int(at[-1] + reach) + 2)
    index = np.arange(first, last)
    weights = np.clip(1 - np.abs(index[None] - at[:, None]) / reach, 0, None)
    weights /= weights.sum(1, keepdims=True)
    return weights[:, -first : n - first].astype(np.float32)


def _covering(
    n: int, pixel_mm: float, centre: float, size: int, spacing_mm: float
) -> NDArray[np.float32]:
    """(size, n): which share of each of the grid's pixels lies in each of the head's."""
    half = spacing_mm / pixel_mm / 2
    at, index = _positions(pixel_mm, centre, size, spacing_mm)[:, None], np.arange(n)[None]
    overlap = np.minimum(at + half, index + 0.5) - np.maximum(at - half, index - 0.5)
    return np.asarray((np.clip(overlap, 0, None) / (2 * half)).astype(np.float32))


def _most_covered(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) shares of pixels -> 0 and 1: the largest, as many as their sum."""
    label = np.zeros(share.size, np.uint8)
    count = round(float(share.sum(dtype=np.float64)))
    label[np.argsort(-share, axis=None, kind="stable")[:count]] = 1
    return label.reshape(share.shape)


def _interpolating(
    n: int, pixel_mm: float, centre: float, size: int, spacing_mm: float
) -> NDArray[np.float32]:
    """(n, size): linear interpolation at the head's pixels; 0 beyond the grid."""
    at = ((np.arange(n) - centre) * pixel_mm / spacing_mm) + (size - 1) / 2
    weights = np.clip(1 - np.abs(at[:, None] - np.arange(size)[None]), 0, None)
    return np.asarray(weights.astype(np.float32))
