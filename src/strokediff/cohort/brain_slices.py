"""The slices of a cohort that show brain, batch by batch, for what is fitted on images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from strokediff.cohort.store import Cohort
from strokediff.ct.grid import COVERED
from strokediff.errors import InputError

MIN_BRAIN_PIXELS = 64
"""A slice with fewer, on the cohort's grid, is left out, as in training and inference."""


class BrainSlices:
    """Images x and masks m of patients, (B, size, size) float32, in a fixed order.

    Each call iterates over all of them once more, one patient in memory at a time. A `size` other
    than the cohort's resamples the slices with `resample`. Raises `InputError` if none shows brain.
    """

    def __init__(
        self, cohort: Cohort, names: Sequence[str], *, size: int | None = None, batch: int = 64
    ) -> None:
        self.cohort = cohort
        self.size = size or cohort.grid.size
        self.batch = batch
        found = [(name, with_brain(cohort.read(name).m)) for name in names]
        self.index = [(name, used) for name, used in found if len(used)]
        if not self.index:
            raise InputError(
                f"{cohort.path}: no slice of its {len(names)} patients to fit on shows brain. "
                "Prepare it again, with more patients or with other brain masks."
            )

    def __len__(self) -> int:
        return sum(len(used) for _, used in self.index)

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x, m); x is 0 outside m."""
        for name, used in self.index:
            for start in range(0, len(used), self.batch):
                yield self._read(name, used[start : start + self.batch])

    def sample(self, most: int) -> tuple[Tensor, Tensor]:
        """(x, m) of at most `most` slices, evenly spaced over all of them."""
        wanted = np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).round().astype(int))
        parts, start = [], 0
        for name, used in self.index:
            here = wanted[(wanted >= start) & (wanted < start + len(used))] - start
            start += len(used)
            if len(here):
                parts.append(self._read(name, used[here]))
        return torch.cat([x for x, _ in parts]), torch.cat([m for _, m in parts])

    def _read(self, name: str, chosen: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        patient = self.cohort.read(name)
        x, m = (torch.from_numpy(a[chosen].astype(np.float32)) for a in (patient.x, patient.m))
        return resample(x * m, m, self.size)


def resample(x: Tensor, m: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Slices x and masks m (B, H, W) on size x size pixels over the same field of view.

    x: bilinear, antialiased where it shrinks, normalised by m so that the brain keeps its values
    up to its edge; m: cut at one half. More pixels than before show no finer detail than before.
    """
    if x.shape[1:] == (size, size):
        return x * m, m
    share = _bilinear(m, size)
    resized = _bilinear(x * m, size) / share.clamp(min=COVERED)
    inside = (share >= 0.5).float()
    return resized * inside, inside


def _bilinear(a: Tensor, size: int) -> Tensor:
    return interpolate(a[:, None], size=(size, size), mode="bilinear", antialias=True)[:, 0]


def with_brain(m: NDArray[Any]) -> NDArray[np.intp]:
    """Which slices of m (Z, S, S) show enough brain to be worth a look."""
    return np.flatnonzero(m.sum(axis=(1, 2)) >= MIN_BRAIN_PIXELS)
