"""Chooses what counts as a lesion of a kind on patients, for every method alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.lesions import Lesions
from strokediff.ct.volume import CT
from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Means, Rule
from strokediff.segmentation.decision import Decision

THRESHOLDS = (-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8)
LEAST_ML = (0.0, 0.2, 0.5, 1.0, 2.0)
NOTHING_ML = 1.0
"""Marked below this counts as nothing marked."""

Scores = NDArray[np.float64]
"""(threshold, least lesion, 3) of one scan at every decision: Dice; VDP, NaN without a lesion;
whether less than `NOTHING_ML` is marked, NaN with one."""
Found = NDArray[np.float64]
"""(threshold, least lesion, 2): Dice and volume, mL."""


@dataclass(frozen=True)
class Scored:
    """A decision with what it has on the patients.

    Mean Dice, an empty mask without a lesion counting as 1; mean Dice and VDP of those with one;
    how many of those without one have less than 1 mL marked. None where there are none such.
    """

    decision: Decision
    dice: float
    vdp: float | None
    dice_with: float | None
    spared: float | None


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
    """The scores of masks found at each of `THRESHOLDS`."""
    out = found_at(volume, masks, truth)
    return scored(out[..., 0], out[..., 1], volume.mask_volume_mm3(truth) / 1000)


def scored(dice: Scores, volume_ml: Scores, true_ml: float) -> Scores:
    """The scores of Dice and volume at every decision, (threshold, least lesion) each."""
    none = np.full_like(dice, math.nan)
    if true_ml:
        return np.stack([dice, np.abs(volume_ml - true_ml) / true_ml, none], axis=-1)
    return np.stack([dice, none, (volume_ml < NOTHING_ML).astype(float)], axis=-1)


def choose(found: Sequence[Scores], groups: Sequence[str], rule: Rule = NEARLY_BEST_DICE) -> Scored:
    """The decision that the rule takes by the means over patients.

    Every group of patients (folder of scans) counts the same, however many are in it.
    """
    means = _means(found, groups)
    return _at(means, *rule.place(means))


def undecided(found: Sequence[Scores], groups: Sequence[str]) -> Scored:
    """What an untuned model has: lesion from a probability of one half on, of any size."""
    return _at(_means(found, groups), THRESHOLDS.index(0.0), LEAST_ML.index(0.0))


def _means(found: Sequence[Scores], groups: Sequence[str]) -> Means:
    """Means over groups of the means over a group's patients."""
    parts = []
    for group in sorted(set(groups)):
        own = np.array([s for s, g in zip(found, groups, strict=True) if g == group])
        with_one = np.where(np.isnan(own[..., 1]), np.nan, own[..., 0])
        parts.append(_mean(np.concatenate([own, with_one[..., None]], axis=-1)))
    return Means(*np.moveaxis(_mean(np.array(parts)), -1, 0))


def _mean(values: Scores) -> Scores:
    """The mean over the first axis of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    total, count = np.where(there, values, 0.0).sum(0), there.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def place_of(decision: Decision) -> tuple[int, int]:
    """Where it lies among `THRESHOLDS` and `LEAST_ML`."""
    return THRESHOLDS.index(decision.threshold), LEAST_ML.index(decision.least_lesion_ml)


def _at(means: Means, i: int, j: int) -> Scored:
    decision = Decision(threshold=THRESHOLDS[i], least_lesion_ml=LEAST_ML[j])
    own = {f.name: float(getattr(means, f.name)[i, j]) for f in fields(means)}
    known = {name: None if math.isnan(value) else value for name, value in own.items()}
    return Scored(decision, own["dice"], known["vdp"], known["dice_with"], known["spared"])
