"""Percentile bootstrap over patients: how far a cohort's figure would move with other patients."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.intp]], float]
"""A figure of the scans with these indices; NaN where it does not exist for them."""


@dataclass(frozen=True)
class Interval:
    """The figure of all patients and the percentiles of its resamples; None: does not exist."""

    value: float | None
    low: float | None
    high: float | None


def scans_of(patients: Iterable[Hashable]) -> dict[Hashable, list[int]]:
    """Indices of the scans of every patient, in the order in which they come; whose each is."""
    found: dict[Hashable, list[int]] = {}
    for index, patient in enumerate(patients):
        found.setdefault(patient, []).append(index)
    return found


def bootstrap(
    statistic: Statistic,
    scans: int,
    *,
    of_patient: Sequence[str] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Resample patients with replacement, each with all scans; the middle `level` of what comes.

    `of_patient` says whose each of the `scans` is; None: everybody was scanned once. Two arms are
    compared on the same patients by a statistic that is their difference: the indices then are the
    same for both. Resamples for which the figure does not exist are left out; without any, or for a
    single patient, low and high are None.

    >>> dice = np.array([0.5, 0.6, 0.7, 0.8])
    >>> found = bootstrap(lambda index: float(dice[index].mean()), len(dice))
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.55, 0.65, 0.75)
    """
    value = statistic(np.arange(scans))
    own = tuple(tuple(found) for found in scans_of(of_patient or range(scans)).values())
    patients = len(own)
    drawn = [statistic(index) for index in _resamples(own, resamples, seed)]
    found = np.array(drawn)[~np.isnan(drawn)]
    whole = None if np.isnan(value) else float(value)
    if patients < 2 or not len(found):
        return Interval(whole, None, None)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(whole, float(low), float(high))


@lru_cache(maxsize=2)
def _resamples(
    own: tuple[tuple[int, ...], ...], resamples: int, seed: int
) -> list[NDArray[np.intp]]:
    """Indices of the scans in each resample: the same for every figure of the same patients."""
    rng = np.random.default_rng(seed)
    once = all(found == (k,) for k, found in enumerate(own))
    scans = [np.array(found) for found in own]
    out = []
    for _ in range(resamples):
        picked = rng.integers(len(own), size=len(own))
        out.append(picked if once else np.concatenate([scans[k] for k in picked]))
        out[-1].flags.writeable = False
    return out
