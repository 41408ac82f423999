"""Where an estimate is unsure, and when the whole of it should not be believed."""

from __future__ import annotations

import torch
from torch import Tensor

UNSURE = 0.2
"""A pixel that is not called lesion but has at least this probability may well be one."""
UNSURE_ML = 2.0
IMPLAUSIBLE_SHARE = 0.5
"""No patient who is scanned for a stroke has lost half of the brain to it."""


def probability(y_0: Tensor, threshold: float = 0.0) -> Tensor:
    """(1 + y_0) / 2 in [0, 1]: the label's mean on {-1, 1} read as the probability of lesion.

    With another `threshold` the two halves are stretched so that it is read as 1/2, and -1 and 1
    still as 0 and 1: p = (1 + y_0) / (1 + threshold) / 2 below it.
    """
    below = (1 + y_0) / (1 + threshold) / 2
    above = 1 - (1 - y_0) / (1 - threshold) / 2
    return torch.where(y_0 < threshold, below, above).clamp(0, 1)


def entropy(p: Tensor) -> Tensor:
    """-p log2 p - (1 - p) log2 (1 - p), in bits: 0 where the answer is sure, 1 at p = 1/2."""
    nats: Tensor = torch.special.entr(p) + torch.special.entr(1 - p)
    return nats / torch.log(torch.tensor(2.0)).item()


def doubts(lesion_ml: float, brain_ml: float, unsure_ml: float) -> list[str]:
    """What to say of a degenerate result; `unsure_ml` has a probability of `UNSURE` or more."""
    if brain_ml and lesion_ml > IMPLAUSIBLE_SHARE * brain_ml:
        return [
            f"{lesion_ml / brain_ml:.0%} of the brain is marked as lesion, which no stroke does: "
            "the image is probably unlike those the model was trained on"
        ]
    if not lesion_ml and unsure_ml >= UNSURE_ML:
        return [
            f"no lesion is marked, but {unsure_ml:.1f} mL have a probability of {UNSURE:.0%} or "
            "more: read this as undecided, not as no lesion"
        ]
    return []
