"""Chooses what counts as a lesion of a kind on patients, for every method alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.lesions import Lesions
from strokediff.ct.volume import CT
from strokediff.segmentation.decision import Decision

THRESHOLDS = (-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8)
LEAST_ML = (0.0, 0.2, 0.5, 1.0, 2.0)
NEARLY_BEST = 0.01

Scores = NDArray[np.float64]
"""(threshold, least lesion, 2): Dice and VDP of one patient at every decision."""
Found = NDArray[np.float64]
"""(threshold, least lesion, 2): Dice and volume, mL."""


@dataclass(frozen=True)
class Scored:
    """A decision with the mean Dice and VDP that it has on the patients."""

    decision: Decision
    dice: float
    vdp: float


def found_at(volume: CT, masks: Sequence[NDArray[np.bool_]], truth: NDArray[np.bool_]) -> Found:
    """Dice and volume at every threshold and least volume.

    `masks` are those found at each of `THRESHOLDS`, lesions of any size in them.
    """
    out = np.empty((len(THRESHOLDS), len(LEAST_ML), 2))
    true = int(np.count_nonzero(truth))
    for i, mask in enumerate(masks):
        lesions = Lesions(volume, mask)
        hit = truth[tuple(lesions.index.T)]
        n = len(lesions.volume_ml) + 1
        found, both = (np.bincount(lesions.owner, w, n)[1:] for w in (None, hit))
        for j, least in enumerate(LEAST_ML):
            kept = lesions.volume_ml >= least
            total, overlap = float(found[kept].sum()), float(both[kept].sum())
            dice = 2 * overlap / (total + true) if total + true else 1.0
            out[i, j] = dice, lesions.volume_ml[kept].sum()
    return out


def scores(volume: CT, masks: Sequence[NDArray[np.bool_]], truth: NDArray[np.bool_]) -> Scores:
    """Dice and VDP at every threshold and least volume; VDP is NaN where the truth is empty."""
    out = found_at(volume, masks, truth)
    true_ml = volume.mask_volume_mm3(truth) / 1000
    off = np.abs(out[..., 1] - true_ml)
    out[..., 1] = off / true_ml if true_ml else math.nan
    return out


def choose(found: Sequence[Scores], groups: Sequence[str]) -> Scored:
    """Least mean VDP among those with a mean Dice within 0.01 of the best.

    Every group of patients (folder of scans) counts the same, however many are in it; one of which
    no patient has a lesion counts in Dice alone. Where nobody has one, VDP is 0.
    """
    dice, vdp = _means(found, groups)
    good = np.where(dice >= dice.max() - NEARLY_BEST, vdp, np.inf)
    return _at(dice, vdp, *np.unravel_index(int(np.argmin(good)), good.shape))


def undecided(found: Sequence[Scores], groups: Sequence[str]) -> Scored:
    """What an untuned model has: lesion from a probability of one half on, of any size."""
    return _at(*_means(found, groups), THRESHOLDS.index(0.0), LEAST_ML.index(0.0))


def _means(found: Sequence[Scores], groups: Sequence[str]) -> tuple[Scores, Scores]:
    """Mean Dice and mean VDP over groups, (threshold, least lesion) each."""
    parts = []
    for group in sorted(set(groups)):
        own = np.array([s for s, g in zip(found, groups, strict=True) if g == group])
        parts.append(_mean(own))
    dice, vdp = np.moveaxis(_mean(np.array(parts)), -1, 0)
    return dice, np.nan_to_num(vdp)


def _mean(values: Scores) -> Scores:
    """The mean over the first axis of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    total, count = np.where(there, values, 0.0).sum(0), there.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def place_of(decision: Decision) -> tuple[int, int]:
    """Where it lies among `THRESHOLDS` and `LEAST_ML`."""
    return THRESHOLDS.index(decision.threshold), LEAST_ML.index(decision.least_lesion_ml)


def _at(dice: Scores, vdp: Scores, i: np.intp | int, j: np.intp | int) -> Scored:
    decision = Decision(threshold=THRESHOLDS[i], least_lesion_ml=LEAST_ML[j])
    return Scored(decision, float(dice[i, j]), float(vdp[i, j]))
