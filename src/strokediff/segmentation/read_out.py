"""From a label estimate to masks, one a kind of lesion: the same steps for every method and grid.

y_0 -> lone pixels dropped -> probability of lesion on the head's grid -> foreseen in slices
that cannot be used -> at least one half, inside the brain -> lesions of the least volume

Of several kinds the more probable takes the voxels that two claim; what that leaves of a lesion
below the least volume is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strokediff.ct.lesions import Lesions
from strokediff.networks.blocks import FrozenOnesFilter
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.place import Place
from strokediff.segmentation.uncertainty import probability

CUT = 0.5
"""Of the probability that `probability(y_0, threshold)` gives: there y_0 is the threshold."""


@dataclass(frozen=True)
class OneKind:
    """`prob` and `mask` (X, Y, Z) of one kind of lesion; `lesions` before the least was left out.

    No voxel is in the masks of two kinds.
    """

    prob: NDArray[np.float32]
    mask: NDArray[np.bool_]
    lesions: Lesions


@dataclass(frozen=True)
class ReadOut:
    """What was found on the head's grid, kind by kind, and all of them joined."""

    kinds: tuple[OneKind, ...]

    @cached_property
    def prob(self) -> NDArray[np.float32]:
        """Of lesion of any kind: that of the most probable one."""
        return joined([one.prob for one in self.kinds])

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Where there is lesion of any kind."""
        return self.labels > 0

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """k + 1 where there is lesion of kind k, 0 where there is none."""
        labels = np.zeros(self.kinds[0].mask.shape, np.uint8)
        for k, one in enumerate(self.kinds):
            labels[one.mask] = k + 1
        return labels


def read_out(place: Place, y_0: Tensor, decisions: Decision | Sequence[Decision]) -> ReadOut:
    """What `decisions` count as lesions of y_0 (S, K, H, W), estimated for the place's slices.

    One decision holds for all kinds. Raises `ValueError` for another number of them than kinds.
    """
    count = y_0.shape[1]
    each = [decisions] * count if isinstance(decisions, Decision) else list(decisions)
    if len(each) != count:
        raise ValueError(f"expected a decision for each of {count} kinds, got {len(each)}")
    alone = [read_one(place, y_0[:, k : k + 1], decision) for k, decision in enumerate(each)]
    return ReadOut(tuple(alone if count == 1 else _apart(place, alone, each)))


def read_one(place: Place, y_0: Tensor, decision: Decision) -> OneKind:
    """The same for one kind (S, 1, H, W), whatever else lies there."""
    kept = without_lone_pixels(y_0, decision.threshold)
    label = torch.from_numpy(place.on_grid(kept, elsewhere=-1.0))
    prob = probability(label, decision.threshold).numpy() * place.brain
    prob = place.bridged(prob, CUT) * place.brain
    lesions = Lesions(place.ct, (prob >= CUT) & place.brain)
    return OneKind(prob, lesions.mask(decision.least_lesion_ml), lesions)


def without_lone_pixels(y_0: Tensor, threshold: float) -> Tensor:
    """The frozen all-ones filter: pixels that it drops end just below the threshold."""
    positive = (y_0 >= threshold).float()
    dropped = (positive > 0) & (FrozenOnesFilter()(positive) == 0)
    return torch.where(dropped, torch.full_like(y_0, threshold - 1e-2), y_0)


def joined(values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The largest of the kinds' values, voxel by voxel."""
    return values[0] if len(values) == 1 else np.maximum.reduce(list(values))


def _apart(place: Place, found: Sequence[OneKind], decisions: Sequence[Decision]) -> list[OneKind]:
    """Masks without a voxel in common; of kinds that are as probable the first one has it."""
    claims = np.stack([np.where(one.mask, one.prob, -1.0) for one in found])
    winner = claims.argmax(axis=0)
    out = []
    for k, (one, decision) in enumerate(zip(found, decisions, strict=True)):
        lesions = Lesions(place.ct, one.mask & (winner == k))
        out.append(OneKind(one.prob, lesions.mask(decision.least_lesion_ml), lesions))
    return out
