"""Which scans are the same picture, however their files were written.

Two digests are equal if the images hold the same HU: in other types, with another scale, byte
order, compression, name or header, on other axes, mirrored, with air around them or without. The
looks of two scans are alike if one was made of the other: as JPEG, cropped, resampled in the plane,
with noise. Copies on both sides of a split flatter a method, so they must be found.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from strokediff.ct.volume import CT

LOW_HU, HIGH_HU = -200, 300
"""Air, padding and bone beyond are often cut or replaced, and say little of whose head it is."""
_TISSUE_HU = (0.0, 80.0)
_BRIGHT_HU, _BRIGHT_SHARE = 10.0, 0.002
"""A plane belongs to the head if this share of it is brighter."""
LOOK = (32, 32, 16)
_ALIKE = 0.95
"""Correlation of two looks from which on one scan was made of the other.

No two patients of CT-ICH (62) or PHE-SICH-CT-IDS (95) reach 0.67, phantoms of one anatomy 0.92;
copies as JPEG of quality 60, with 3 HU of noise, or padded 0.98 and more.
"""
BLOCK = 512


@dataclass(frozen=True)
class Likeness:
    """What is kept of an image to find its copies; `look` is flat, of mean 0 and length 1."""

    digest: bytes
    look: NDArray[np.float16]


def likeness_of(volume: CT) -> Likeness:
    """Digest and look of a head CT."""
    return Likeness(digest(np.rint(volume.hu)), _look(volume.hu))


def digest(values: NDArray[Any]) -> bytes:
    """Of the values of a volume, between `LOW_HU` and `HIGH_HU`, and of their places.

    From their histogram and their sums over the planes of each axis, within the box of all that
    lies above the lowest: neither the order nor the direction of the axes changes these.
    """
    whole = np.clip(values, LOW_HU, HIGH_HU).astype(np.int16)
    whole -= whole.min(initial=HIGH_HU)
    boxed = whole[_box([whole.any(axis=others) for others in _OTHERS])]
    found = hashlib.sha256(np.bincount(boxed.ravel(), minlength=1).astype("<i8").tobytes())
    sums = [boxed.sum(axis=others, dtype=np.int64).astype("<i8") for others in _OTHERS]
    for profile in sorted(min(s.tobytes(), s[::-1].tobytes()) for s in sums):
        found.update(hashlib.sha256(profile).digest())
    return found.digest()


def copies(digests: Mapping[str, bytes]) -> list[tuple[str, ...]]:
    """Names whose digests are equal, in groups of two and more."""
    groups: dict[bytes, list[str]] = defaultdict(list)
    for name, own in digests.items():
        groups[own].append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def look_alikes(scans: Mapping[str, Likeness]) -> list[tuple[str, str]]:
    """Pairs of scans that differ and look alike, in the order of `scans`."""
    names, digests = list(scans), [own.digest for own in scans.values()]
    return [
        (names[i], names[j])
        for i, j in _close([own.look for own in scans.values()])
        if digests[i] != digests[j]
    ]


_OTHERS = ((1, 2), (0, 2), (0, 1))


def _close(looks: list[NDArray[np.float16]]) -> Iterator[tuple[int, int]]:
    """Index pairs i < j of looks that correlate, a block of products at a time."""
    for start in range(0, len(looks), BLOCK):
        rows = np.stack(looks[start : start + BLOCK]).astype(np.float32)
        for other in range(start, len(looks), BLOCK):
            columns = np.stack(looks[other : other + BLOCK]).astype(np.float32)
            for i, j in np.argwhere(rows @ columns.T >= _ALIKE):
                if start + i < other + j:
                    yield int(start + i), int(other + j)


def _look(hu: NDArray[np.float32]) -> NDArray[np.float16]:
    """Tissue within the head's box on `LOOK` cells, less what is smooth in it; flat."""
    head = hu > _BRIGHT_HU
    box = _box([head.mean(axis=others) > _BRIGHT_SHARE for others in _OTHERS])
    cells = np.clip(hu[box], *_TISSUE_HU)
    for axis, size in enumerate(LOOK):
        mean = _means(cells.shape[axis], size)
        cells = np.moveaxis(np.tensordot(mean, cells, (1, axis)), 0, axis)
    fine = (cells - uniform_filter(cells, 3)).ravel()
    fine -= fine.mean()
    return np.asarray((fine / max(float(np.linalg.norm(fine)), 1e-6)).astype(np.float16))


def _box(planes: list[NDArray[np.bool_]]) -> tuple[slice, ...]:
    """From the first to the last plane of each axis that counts; all if none does."""
    ends = [np.flatnonzero(own) for own in planes]
    return tuple(slice(int(e[0]), int(e[-1]) + 1) if e.size else slice(None) for e in ends)


def _means(n: int, size: int) -> NDArray[np.float32]:
    """(size, n): weights that average n samples over `size` equal cells."""
    edges, index = np.linspace(0, n, size + 1)[:, None], np.arange(n)[None]
    overlap = np.minimum(edges[1:], index + 1) - np.maximum(edges[:-1], index)
    weights = np.clip(overlap, 0, None)
    return np.asarray((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))
