"""Where a fitted model makes noise: the brain of the cohort it saw, and a margin around it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def widened(brain: Tensor, margin: int) -> Tensor:
    """The pixels within `margin` rows and columns of `brain` (H, W), uint8.

    Augmented slices and new patients reach a little beyond the brains that were fitted; nothing
    is known there, so factor models fill the margin with white noise of unit variance.
    """
    window = 2 * margin + 1
    wide = F.max_pool2d(brain.float()[None, None], window, stride=1, padding=margin)
    return wide[0, 0].byte()
