"""From a label estimate to a mask: the same steps for every method and every grid.

y_0 -> lone pixels dropped -> probability of lesion on the head's grid -> foreseen in slices
that cannot be used -> at least one half, inside the brain -> lesions of the least volume
"""

from __future__ import annotations

from dataclasses import dataclass

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
class ReadOut:
    """`prob` and `mask` (X, Y, Z) on the head's grid; `lesions` before the least was left out."""

    prob: NDArray[np.float32]
    mask: NDArray[np.bool_]
    lesions: Lesions


def read_out(place: Place, y_0: Tensor, decision: Decision) -> ReadOut:
    """What `decision` counts as a lesion of y_0 (S, 1, H, W), estimated for the place's slices."""
    kept = without_lone_pixels(y_0, decision.threshold)
    label = torch.from_numpy(place.on_grid(kept, elsewhere=-1.0))
    prob = probability(label, decision.threshold).numpy() * place.brain
    prob = place.bridged(prob, CUT) * place.brain
    lesions = Lesions(place.ct, (prob >= CUT) & place.brain)
    return ReadOut(prob, lesions.mask(decision.least_lesion_ml), lesions)


def without_lone_pixels(y_0: Tensor, threshold: float) -> Tensor:
    """The frozen all-ones filter: pixels that it drops end just below the threshold."""
    positive = (y_0 >= threshold).float()
    dropped = (positive > 0) & (FrozenOnesFilter()(positive) == 0)
    return torch.where(dropped, torch.full_like(y_0, threshold - 1e-2), y_0)
