"""The baselines by name, each at two scales of width."""

from __future__ import annotations

from strokediff.baselines import (
    dyn_unet,
    label_posterior,
    medsegdiff,
    medsegdiff_released,
    segdiff,
    segdiff_released,
    segresnet,
    swin_unetr,
    unet,
    unet_plus_plus,
    unetr,
)
from strokediff.baselines.base import Baseline
from strokediff.errors import UsageError

SCALES = ("small", "full")
"""One to two million parameters for a CPU at 96 x 96, and the widths that were published."""

_PAIRS: tuple[tuple[Baseline, Baseline], ...] = (
    (unet.SMALL, unet.FULL),
    (segresnet.SMALL, segresnet.FULL),
    (unetr.SMALL, unetr.FULL),
    (swin_unetr.SMALL, swin_unetr.FULL),
    (dyn_unet.SMALL, dyn_unet.FULL),
    (unet_plus_plus.SMALL, unet_plus_plus.FULL),
    (segdiff.SMALL, segdiff.FULL),
    (medsegdiff.SMALL, medsegdiff.FULL),
    *label_posterior.PAIRS,
    (segdiff_released.SMALL, segdiff_released.FULL),
    (medsegdiff_released.SMALL, medsegdiff_released.FULL),
)

BASELINES: dict[str, dict[str, Baseline]] = {
    small.name: dict(zip(SCALES, (small, full), strict=True)) for small, full in _PAIRS
}
"""Name -> scale -> baseline, in the order of the papers' tables."""


def baseline(name: str, scale: str = "small") -> Baseline:
    """The baseline of that name and scale, or `UsageError` naming the choices."""
    if name not in BASELINES:
        raise UsageError(f"no baseline '{name}'; expected one of: {', '.join(BASELINES)}")
    if scale not in BASELINES[name]:
        raise UsageError(f"no scale '{scale}'; expected one of: {', '.join(SCALES)}")
    return BASELINES[name][scale]
