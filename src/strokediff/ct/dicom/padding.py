"""Stored values that are no measurement: padding around the reconstructed circle.

Scanners mark it in many ways: PixelPaddingValue with or without PixelPaddingRangeLimit, declared
with the other sign than the pixels have, or not declared and far below air. All become air.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from strokediff.ct.arrays import AIR_BELOW_HU
from strokediff.ct.dicom.values import integer, value_of

LARGEST_HU = 31000.0
"""No scanner writes more, extended scale included: larger ones are negatives without sign."""
_ABSENT = -(1 << 40)


def negative_where(stored: NDArray[Any], bits: int) -> NDArray[np.bool_]:
    """Where all bits above the `bits` stored ones are set: a negative number, sign-extended."""
    unused = stored.dtype.itemsize * 8 - bits
    if stored.dtype.kind not in "iu" or not 0 < unused < stored.dtype.itemsize * 8:
        return np.zeros(stored.shape, dtype=bool)
    full = (1 << unused) - 1
    unsigned = stored.view(f"u{stored.dtype.itemsize}")
    return np.asarray((unsigned >> bits) == full)


def without_unused_bits(stored: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stored values of which only the lowest `bits` count, sign-extended for signed ones."""
    shift = stored.dtype.itemsize * 8 - bits
    if stored.dtype.kind not in "iu" or not 0 < shift < stored.dtype.itemsize * 8:
        return stored
    return np.asarray(np.right_shift(np.left_shift(stored, shift), shift))


def padding_where(
    dataset: pydicom.Dataset, stored: NDArray[Any], slope: float, intercept: float
) -> NDArray[np.bool_]:
    """Where `stored` (rows, columns) holds declared padding.

    A declared value is trusted where it is lower than any tissue, for some files name one that
    is also tissue; such a one only where it fills all four corners, and there only as far as it
    reaches from the image's border.
    """
    declared = _declared(dataset, stored.dtype)
    if not declared:
        return np.zeros(stored.shape, dtype=bool)
    value, low, high = declared[0], min(declared), max(declared)
    if max(low * slope, high * slope) + intercept < AIR_BELOW_HU:
        return np.asarray((stored >= low) & (stored <= high))
    held = np.asarray(stored == value)
    return held if value * slope + intercept < AIR_BELOW_HU else _around(held)


def _around(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of `held` that reach the border, if its four corners are held; else nothing."""
    if not (held[0, 0] and held[0, -1] and held[-1, 0] and held[-1, -1]):
        return np.zeros(held.shape, dtype=bool)
    from scipy import ndimage  # slow to import, and rarely needed

    labels, _ = ndimage.label(held)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, np.unique(border[border > 0]))


def _declared(dataset: pydicom.Dataset, dtype: np.dtype[Any]) -> list[int]:
    """PixelPaddingValue and, where there is one, the other end of its range; or nothing.

    Both are wrapped into the pixels' type: their VR is often the wrong one of US and SS.
    """
    if dtype.kind not in "iu":
        return []
    ends = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        found = integer(value_of(dataset, keyword), default=_ABSENT)
        if found == _ABSENT:
            break
        ends.append(int(np.array(found).astype(dtype)))
    return ends
