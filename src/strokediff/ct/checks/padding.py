"""Padding: the one value that a scanner, or a resampler, writes where nothing was measured.

By convention -2000, -3024, -32768, -1024, 0 or NaN, and anything else; it is told by what it is, a
constant along the image's edges that noise does not spread.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import FLOOR_HU, Array
from strokediff.errors import InputError

LEAST_SHARE = 0.02
"""Share of the image's twelve edges that a value fills before it is called padding: no head
reaches them."""
SPREAD = 0.3
"""What noise would put on the values beside it, as a share of it, at the least."""
_BESIDE = 6.0
_MOST = 3
LEAST_FILLED = 0.002


def padding_values(values: Array, span: float) -> tuple[float, ...]:
    """The constants (at most three) that fill much of the image's edges, largest share first.

    Noise spreads air over neighbouring values; a constant that has none beside it is no
    measurement. Noiseless air of a drawn or clipped head counts too: it tells as little. `span` is
    the range of all values.
    """
    edges = np.concatenate([np.ravel(edge) for edge in _edges(values)])
    found, counts = np.unique(edges, return_counts=True)
    reach = min(_BESIDE, span / 200)
    first = np.searchsorted(found, found - reach, "left")
    last = np.searchsorted(found, found + reach, "right")
    up_to = np.concatenate([[0], np.cumsum(counts)])
    beside = up_to[last] - up_to[first] - counts
    alone = (counts >= LEAST_SHARE * edges.size) & (beside < SPREAD * counts)
    order = np.flatnonzero(alone)[np.argsort(-counts[alone], kind="stable")]
    return tuple(float(found[i]) for i in order[:_MOST])


def without_nan(path: Path, values: Array) -> list[str]:
    """Put air where NaN surrounds the image, in place; returns a warning that says so.

    `InputError` for NaN or infinity elsewhere.
    """
    bad = ~np.isfinite(values)
    count = int(np.count_nonzero(bad))
    around = at_border(np.isnan(values))
    if count == values.size or not np.array_equal(around, bad):
        raise InputError(
            f"{path}: {count} of {values.size} voxels are NaN or infinite. Expected finite "
            f"Hounsfield units; set the background to -1024 and save again."
        )
    values[bad] = FLOOR_HU
    return [f"{count / values.size:.1%} of the voxels, around the image, are NaN: taken as air"]


def fill_padding(values: Array, padding: float) -> list[str]:
    """Put air where `padding` surrounds the image, in place; returns a warning that says so.

    Less than `LEAST_FILLED` is left as it is: the corners of a picture, say.
    """
    around = at_border(values == np.float32(padding))
    share = np.count_nonzero(around) / values.size
    if share < LEAST_FILLED:
        return []
    values[around] = FLOOR_HU
    return [f"{share:.1%} of the voxels, around the image, are all {padding:g}: taken as air"]


def at_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of a mask that hangs together with the image's edges: a face may cut the head."""
    labels, count = ndimage.label(mask)
    touches = np.zeros(count + 1, bool)
    for edge in _edges(labels):
        touches[np.unique(edge)] = True
    touches[0] = False
    return np.asarray(touches[labels])


def _edges(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The lines in which two faces meet, each twice."""
    return [edge for face in _faces(array) for edge in _faces(face)]


def _faces(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The first and last layer along each axis."""
    before = [(slice(None),) * axis for axis in range(array.ndim)]
    return [array[(*index, end)] for index, end in product(before, (0, -1))]
