"""What a network sees beside a slice: the slices next to it, and its mirror image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.midline import Midline, find_midline, place

NEIGHBOUR_MM = 5.0
"""How far apart the slices are that a network sees together, on thick and thin slices alike."""


@dataclass(frozen=True)
class Around:
    """What lies beside the slices of one head: neighbours at `offsets`, mirrored about `line`."""

    offsets: Sequence[int]
    line: Midline | None

    def __call__(self, values: NDArray[Any], k: int, order: int = 1) -> NDArray[np.float32]:
        """Beside slice k of the head's values (Z, H, W): (C, H, W), 0 beyond the head's ends.

        In a slab so thin that there is none on either side a slice is its own neighbour, since a
        network that knows heads has never seen that. `order` is that of the interpolation that
        mirrors: 0 for masks.
        """
        there = [0 <= k + offset < len(values) for offset in self.offsets]
        out = np.zeros((len(self.offsets) + (self.line is not None), *values.shape[1:]), np.float32)
        for channel, offset in enumerate(self.offsets):
            if there[channel]:
                out[channel] = values[k + offset]
            elif not any(there):
                out[channel] = values[k]
        if self.line is not None:
            out[-1] = self.line.mirrored(values[k], place(k, len(values)), order)
        return out


@dataclass(frozen=True)
class Surroundings:
    """`neighbours` slices to either side, nearest first, and with `mirror` the mirrored slice.

    All of them are clean, whatever t, and each lies in its own brain mask.
    """

    neighbours: int = 0
    mirror: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return self.mirror or self.neighbours > 0

    def around(
        self,
        x: NDArray[Any],
        m: NDArray[Any],
        slice_mm: float | None,
        midline: Midline | None = None,
    ) -> Around:
        """For one head: slices x in [-1, 1] with brain masks m (Z, H, W), `slice_mm` apart.

        The `midline` is looked for where it is not known.
        """
        offsets = neighbour_offsets(self.neighbours, neighbour_step(slice_mm))
        return Around(offsets, (midline or find_midline(x, m)) if self.mirror else None)

    def seen(
        self,
        x: NDArray[Any],
        m: NDArray[Any],
        slice_mm: float | None,
        midline: Midline | None = None,
    ) -> NDArray[np.float32]:
        """Each slice and then what lies beside it, masked: (Z, 1 + 2 neighbours + mirror, H, W)."""
        around = self.around(x, m, slice_mm, midline)
        own = (x * m)[:, None].astype(np.float32)
        beside = [around(x, k) * around(m, k, order=0) for k in range(len(x))]
        return np.concatenate([own, np.stack(beside)], axis=1) if len(x) else own


ALONE = Surroundings()
"""Nothing, as in the papers."""


def neighbour_step(slice_mm: float | None) -> int:
    """How many slices make up `NEIGHBOUR_MM`, at least 1; 1 where the spacing is unknown."""
    return max(1, round(NEIGHBOUR_MM / slice_mm)) if slice_mm else 1


def neighbour_offsets(count: int, step: int) -> list[int]:
    """Offsets of `count` neighbours to either side: -step, step, -2 step, 2 step, ..."""
    return [side * n * step for n in range(1, count + 1) for side in (-1, 1)]
