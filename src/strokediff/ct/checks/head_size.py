"""How large the head in an image is, in millimetres: what a wrong spacing cannot hide.

A spacing that is wrong by itself looks like any other; the head that it makes does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import HEAD_HU
from strokediff.ct.regular_grid import slice_coordinates_mm
from strokediff.ct.volume import CT

SIDE = 128
"""Pixels along a slice's side that are enough to measure a head."""
TABLE_PIXELS = 2
"""Half the thickness of what is taken off as table, tubes and headrest, in those pixels."""
WIDE, NARROW = 0.9, 0.4
"""Shares of the widest slice's area between which the vault is measured."""
RISE = np.sqrt(1 - NARROW) - np.sqrt(1 - WIDE)
"""How much of its height lies between them, if it is half an ellipsoid: area = 1 - (z / h)^2."""
IN_PLANE_MM = (65.0, 260.0)
"""From a newborn's breadth to more than any adult's length, nose and ears included."""
LENGTH_TO_BREADTH = (0.65, 1.9)
VAULT_MM = (25.0, 150.0)
VAULT_TO_WIDTH = (0.27, 0.75)
"""Height of the vault to the mean of length and breadth: 0.30 to 0.57 in 77 heads at hand."""


@dataclass(frozen=True)
class HeadSize:
    """Length (front to back) and breadth of the widest slice, and the vault's height above it, mm.

    `vault_mm` is None where the scan ends below the vertex, so that no height can be told.
    """

    breadth_mm: float
    length_mm: float
    vault_mm: float | None

    @classmethod
    def of(cls, volume: CT) -> HeadSize | None:
        """Measure the largest thing denser than air; None if there is none.

        Blank slices, of one value whatever it is, are passed over.
        """
        steps = [max(1, round(n / SIDE)) for n in volume.hu.shape[:2]]
        hu = volume.hu[:: steps[0], :: steps[1]]
        shows = np.ptp(hu, axis=(0, 1)) > 0
        tissue = hu[:, :, shows] > HEAD_HU
        if not tissue.any():
            return None
        disc = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), TABLE_PIXELS)
        opened = ndimage.binary_opening(tissue, structure=disc[:, :, None])
        labels, _ = ndimage.label(opened if opened.any() else tissue)
        head = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
        area = np.array([np.count_nonzero(ndimage.binary_fill_holes(s)) for s in head.T])
        widest = int(area.argmax())
        outline = ndimage.binary_fill_holes(head[:, :, widest])
        # A filled ellipse is four standard deviations long.
        extent = [4 * np.std(c) for c in np.nonzero(outline)]
        pixels = np.array(volume.pixel_spacing_mm) * steps
        return cls(
            float(extent[0] * pixels[0]),
            float(extent[1] * pixels[1]),
            _vault_mm(area, slice_coordinates_mm(volume)[shows]),
        )

    @property
    def plausible(self) -> bool:
        """Whether a human head can have this size and shape."""
        width = (self.breadth_mm + self.length_mm) / 2
        checks = [
            (self.breadth_mm, IN_PLANE_MM),
            (self.length_mm, IN_PLANE_MM),
            (self.length_mm / max(self.breadth_mm, 1e-6), LENGTH_TO_BREADTH),
        ]
        if self.vault_mm is not None:
            checks += [(self.vault_mm, VAULT_MM), (self.vault_mm / width, VAULT_TO_WIDTH)]
        return all(low <= value <= high for value, (low, high) in checks)

    def __str__(self) -> str:
        height = "" if self.vault_mm is None else f", the vault {self.vault_mm:.0f} mm high"
        return f"{self.breadth_mm:.0f} mm broad, {self.length_mm:.0f} mm long{height}"


def _vault_mm(area: NDArray[np.int_], z: NDArray[np.float64]) -> float | None:
    """Height of the half ellipsoid that the areas of the slices at `z` mm follow to the top."""
    share = area / area.max()
    wide = int(np.flatnonzero(share >= WIDE)[-1])
    # Nothing above the last slice with tissue: the scan is cut there, or blank slices follow.
    below = np.flatnonzero((share[wide:] <= NARROW) & (share[wide:] > 0))
    if not len(below):
        return None
    narrow = wide + int(below[0])
    ends = [
        np.interp(level, share[[k + 1, k]], z[[k + 1, k]])
        for level, k in ((WIDE, wide), (NARROW, narrow - 1))
    ]
    return float((ends[1] - ends[0]) / RISE)


def implausible_size(volume: CT) -> list[str]:
    """A warning if the head has a size that no head has."""
    size = HeadSize.of(volume)
    if size is None or size.plausible:
        return []
    spacing = " x ".join(f"{s:.3g}" for s in volume.spacing_mm)
    return [
        f"the head measures {size}, which no human head does: the voxel size of {spacing} mm is "
        f"probably wrong, and every volume with it. Check the header's spacing"
    ]
