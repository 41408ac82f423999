"""Which slices cannot be used, whatever the brain: blank ones, and what the outline leaves odd.

A slice is judged against its neighbours: what goes on over many slices is the patient or the
scanner, what stands alone between good slices was lost or spoilt.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.arrays import HEAD_HU, Mask
from strokediff.ct.brain.evidence import CoarseGrid
from strokediff.ct.brain.quieten import noise_of
from strokediff.ct.volume import CT

_Shares = NDArray[np.float64]

BLANK = "blank"
NOISY = "far noisier than the slices beside"
MISSING = "partly missing"
SHIFTED = "HU far from those of the slices beside"
SPOILT = "streaks or other content in place of tissue"
NO_BRAIN = "no brain was found there, but on both sides"

STEP_HU = 1.0
"""Neighbouring pixels that differ by less show nothing."""
FEW = 0.1
"""A blank slice has less detail than this share of the usual, or less of the head."""
TISSUE_HU = (-30.0, 130.0)
ODD_SHARE, ODD_TIMES = 0.15, 2.5
"""Share of a brain section outside TISSUE_HU that is odd, and how often the share beside it."""
FEWEST = 300
"""Sections of fewer cells are not judged."""
NOISE_HU, NOISE_TIMES = 15.0, 2.5
"""Noise (standard deviation) that is odd, and how often the noise beside it."""
LEVEL_HU, LEVEL_TIMES, LEVEL_SHARE = 8.0, 2.5, 0.6
"""How far a section's median HU lies from that of five slices, and how often as far as beside it.
Only in sections of this share of the largest: bone tells in small ones."""
REACH_MM = 45.0
"""Longest run of unusable slices that is stepped over."""


def blank_slices(volume: CT) -> dict[int, str]:
    """Slices without detail or without head, between slices that have both."""
    hu = volume.hu[::2, ::2]
    detail = np.mean(np.abs(np.diff(hu, axis=0)) > STEP_HU, axis=(0, 1))
    head = np.mean(hu > HEAD_HU, axis=(0, 1))
    empty = (detail < FEW * np.median(detail[detail > 0])) if detail.any() else detail == 0
    empty |= head < FEW * np.median(head)
    return dict.fromkeys(_enclosed(empty), BLANK)


def odd_slices(
    volume: CT, coarse: Mask, grid: CoarseGrid, known: Collection[int] = ()
) -> dict[int, str]:
    """Slices whose section of the brain `coarse` is noise or is not tissue, unlike those beside.

    The `known` ones are not judged, and not judged by.
    """
    bx, by, bz = grid.block
    ox, oy, _ = grid.origin
    nx, ny = coarse.shape[:2]
    native = volume.hu[ox + bx // 2 :: bx, oy + by // 2 :: by][:nx, :ny]
    slabs = np.arange(volume.hu.shape[2]) // bz
    inside = ndimage.binary_erosion(coarse, np.ones((5, 5, 1), dtype=bool))[:, :, slabs]
    inside = inside[: native.shape[0], : native.shape[1]]
    odd, void, noise, level = (np.zeros(len(slabs)) for _ in range(4))
    cells = np.count_nonzero(inside, axis=(0, 1))
    for k in np.flatnonzero(cells >= FEWEST):
        hu, here = native[:, :, k], inside[:, :, k]
        odd[k] = 1 - np.mean((hu[here] > TISSUE_HU[0]) & (hu[here] < TISSUE_HU[1]))
        void[k] = np.mean(hu[here] < HEAD_HU)
        level[k] = np.median(hu[here])
        pairs = here[1:] & here[:-1]
        noise[k] = noise_of(np.diff(hu, axis=0)[pairs])
    rest = np.array([k for k in range(len(slabs)) if k not in known])
    thick = volume.slice_increments_mm[rest]
    noisy = _standing_out(noise[rest], NOISE_HU, NOISE_TIMES, thick)
    spoilt = _standing_out(odd[rest], ODD_SHARE, ODD_TIMES, thick)
    away = np.abs(level - ndimage.median_filter(level, 5)) * (cells > LEVEL_SHARE * cells.max())
    shifted = _standing_out(away[rest], LEVEL_HU, LEVEL_TIMES, thick)
    found = {int(rest[n]): SHIFTED for n in shifted}
    found |= {int(rest[n]): MISSING if void[rest[n]] > odd[rest[n]] / 2 else SPOILT for n in spoilt}
    return found | {int(rest[n]): NOISY for n in noisy}


def _enclosed(empty: NDArray[np.bool_]) -> list[int]:
    """The empty ones that lie between others; the ends of a scan are padding."""
    full = np.flatnonzero(~empty)
    if not full.size:
        return []
    return [int(k) for k in np.flatnonzero(empty) if full[0] < k < full[-1]]


def _standing_out(
    values: _Shares, least: float, times: float, increments_mm: NDArray[np.float64]
) -> list[int]:
    """Runs of `values` above `least` and `times` the value on either side, REACH_MM at most."""
    runs, count = ndimage.label(values > least)
    found: list[int] = []
    for (run,) in ndimage.find_objects(runs)[:count]:
        beside = [values[k] for k in (run.start - 1, run.stop) if 0 <= k < len(values)]
        short = increments_mm[run].sum() <= REACH_MM
        if len(beside) == 2 and short and values[run].min() > times * max(beside):
            found += range(run.start, run.stop)
    return found
