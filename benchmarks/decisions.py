"""Chooses what counts as a lesion on validation patients, for every method alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from strokediff.data.lesions import Lesions
from strokediff.data.volume import Volume
from strokediff.inference.decision import Decision

THRESHOLDS = (-0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8)
LEAST_ML = (0.0, 0.2, 0.5, 1.0, 2.0)
NEARLY_BEST = 0.01


def scores(volume: Volume, prob: np.ndarray, brain: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(Dice, VDP) at every threshold and least volume; VDP is NaN where the truth is empty.

    `prob` is that of an undecided model, (y_0 + 1) / 2.
    """
    out = np.empty((len(THRESHOLDS), len(LEAST_ML), 2))
    true = int(np.count_nonzero(truth))
    for i, threshold in enumerate(THRESHOLDS):
        lesions = Lesions(volume, (prob >= (threshold + 1) / 2) & brain)
        hit = truth[tuple(lesions.index.T)]
        n = len(lesions.volume_ml) + 1
        found, both = (np.bincount(lesions.owner, w, n)[1:] for w in (None, hit))
        for j, least in enumerate(LEAST_ML):
            kept = lesions.volume_ml >= least
            total, overlap = float(found[kept].sum()), float(both[kept].sum())
            dice = 2 * overlap / (total + true) if total + true else 1.0
            out[i, j] = dice, abs(total - true) / true if true else math.nan
    return out


def choose(found: Sequence[np.ndarray], kinds: Sequence[str], name: str) -> Decision:
    """Least mean VDP among those with a mean Dice within 0.01 of the best; prints the table.

    Every kind of lesion counts the same, however many patients have it.
    """
    parts = [
        np.nanmean([s for s, k in zip(found, kinds, strict=True) if k == kind], axis=0)
        for kind in sorted(set(kinds))
    ]
    dice, vdp = np.moveaxis(np.mean(parts, axis=0), -1, 0)
    good = np.where(dice >= dice.max() - NEARLY_BEST, vdp, np.inf)
    i, j = np.unravel_index(int(np.argmin(good)), good.shape)
    print(f"{name}: mean Dice / VDP at a least lesion of {LEAST_ML} mL")
    for threshold, row in zip(THRESHOLDS, zip(dice, vdp, strict=True), strict=True):
        cells = "  ".join(f"{d:.3f}/{v:.3f}" for d, v in zip(*row, strict=True))
        print(f"  threshold {threshold:4.1f}: {cells}")
    print(f"  chosen: threshold {THRESHOLDS[i]}, least lesion {LEAST_ML[j]} mL")
    return Decision(threshold=THRESHOLDS[i], least_lesion_ml=LEAST_ML[j])
