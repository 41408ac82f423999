"""Sheets of answers whose best decisions are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokediff.segmentation.calibrate.answers import Answer, OfKind, OfMethod, Sheet
from strokediff.segmentation.calibrate.decisions import LEAST_ML, THRESHOLDS
from strokediff.util.kinds import STROKE

SHAPE = (len(THRESHOLDS), len(LEAST_ML))
KEY = "fast/avg"
BEST = ((2, 1), (4, 3))
"""Of infarct and haemorrhage: places among thresholds and least lesions."""


def of_kind(best: tuple[int, int], true_ml: float, off_ml: float = 0.0) -> OfKind:
    """Dice 0.9 and nearly the true volume at the best decision, Dice 0.3 and nothing elsewhere."""
    dice, volume = np.full(SHAPE, 0.3), np.zeros(SHAPE)
    dice[best], volume[best] = 0.9, true_ml + off_ml
    return OfKind(dice=dice.tolist(), volume_ml=volume.tolist(), doubt_ml=1.0, true_ml=true_ml)


def sheet(n: int = 40, seed: int = 0, scans: int = 1, **own: Any) -> Sheet:
    """Infarcts and haemorrhages are best at `BEST`, with errors of 5 and of 1 mL."""
    rng = np.random.default_rng(seed)
    made = []
    for p in range(n):
        for s in range(scans):
            sizes = rng.uniform(10, 60, 2)
            kinds = {
                kind: of_kind(best, float(size), float(rng.uniform(-error, error)))
                for kind, best, size, error in zip(STROKE, BEST, sizes, (5.0, 1.0), strict=True)
            }
            method = OfMethod(kinds=kinds, doubt_ml=2.0, true_ml=float(sizes.sum()))
            made.append(Answer(scan=f"p{p}_{s}", patient=f"p{p}", methods={KEY: method}, **own))
    return Sheet(kinds=STROKE, answers=tuple(made))
