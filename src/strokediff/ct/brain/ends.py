"""Where the scan or its field of view cuts the brain."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import BONE_HU, HEAD_HU, Mask
from strokediff.ct.brain.evidence import PITCH_MM, padding_in
from strokediff.ct.brain.remarks import slices
from strokediff.ct.volume import CT

OPEN_TOP_MM2 = 2500.0
OPEN_BOTTOM_MM2 = 2500.0
_SHOWN = 0.05
"""Share of the last brain section under which the slice beyond shows nothing there."""
CUT_MM, CUT_MM2 = 3.3, 75.0
"""Brain so near to padding, no bone between, and so much of it in a slice, is cut."""
CUT_SLICES = 3
"""Fewer slices are an accident of the skull base: air cells behind thin bone."""


def open_ends(mask: Mask, volume: CT, unusable: Collection[int] = ()) -> list[str]:
    """Where the scan cuts the brain: above, below, and at the sides of the field of view.

    The scan ends at the last slice that shows anything where the brain is; blank slices beyond
    are padding. Rows, columns and circles of padding cut as the image's own border does.
    """
    area = np.count_nonzero(mask, axis=(0, 1)) * np.prod(volume.pixel_spacing_mm)
    shown = np.flatnonzero(area)
    found: list[str] = []
    if not shown.size:
        return found
    first, last = int(shown[0]), int(shown[-1])
    if area[last] > OPEN_TOP_MM2 and _nothing_beyond(volume, mask[:, :, last], last + 1):
        found.append(
            "The scan ends below the vertex: brain fills "
            f"{area[last] / 100:.0f} cm² of the top slice{_number(last, mask.shape[2] - 1)}."
        )
    if area[first] > OPEN_BOTTOM_MM2 and _nothing_beyond(volume, mask[:, :, first], first - 1):
        found.append(
            "The scan begins above the foramen magnum: brain fills "
            f"{area[first] / 100:.0f} cm² of the bottom slice{_number(first, 0)}."
        )
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        found.append("The brain touches the side of the image: the field of view cuts it.")
    elif cut := beside_padding(mask, volume, unusable):
        found.append(f"The brain ends at blank pixels in {slices(cut)}: the field of view cuts it.")
    return found


def _number(k: int, end: int) -> str:
    return "" if k == end else f" that shows anything ({k + 1})"


def _nothing_beyond(volume: CT, brain: Mask, k: int) -> bool:
    """Whether slice k, next to the last brain, is missing or shows no head where that brain is."""
    if not 0 <= k < volume.hu.shape[2]:
        return True
    there = volume.hu[:, :, k][brain]
    return bool(np.mean(there > HEAD_HU) < _SHOWN) or _is_flat(there)


def _is_flat(values: NDArray[np.float32]) -> bool:
    return float(np.ptp(values)) <= 1.0


def beside_padding(mask: Mask, volume: CT, unusable: Collection[int]) -> list[int]:
    """Slices in which padding lies right beside the brain, that every slice has in that place.

    The largest section of a whole head keeps padding away from the brain of all others; where
    rows, columns or a circle cut the head, padding is in one place in all slices.
    """
    bx, by = (max(1, round(PITCH_MM / s)) for s in volume.pixel_spacing_mm)
    cell_mm2 = float(np.prod(volume.pixel_spacing_mm)) * bx * by
    steps = max(1, round(CUT_MM / PITCH_MM))
    hu, brain = volume.hu[::bx, ::by], mask[::bx, ::by]
    shown = [int(k) for k in np.flatnonzero(brain.any(axis=(0, 1))) if k not in unusable]
    outside = _from_border(padding_in(hu[:, :, shown]))
    near = ndimage.binary_dilation(outside, np.ones((3, 3)), iterations=steps)
    cut = []
    for k in shown:
        if np.count_nonzero(near & brain[:, :, k]) * cell_mm2 > CUT_MM2:
            soft = (hu[:, :, k] < BONE_HU) | outside
            around = ndimage.binary_dilation(outside, np.ones((3, 3)), iterations=steps, mask=soft)
            if np.count_nonzero(around & brain[:, :, k]) * cell_mm2 > CUT_MM2:
                cut.append(k)
    return cut if len(cut) >= CUT_SLICES else []


def _from_border(region: Mask) -> Mask:
    """The parts of a slice's region that reach its border."""
    border = np.zeros_like(region)
    border[[0, -1]] = border[:, [0, -1]] = True
    return np.asarray(ndimage.binary_propagation(border & region, mask=region))
