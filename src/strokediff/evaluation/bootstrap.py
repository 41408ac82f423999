"""Percentile bootstrap over patients: how far a cohort's figure would move with other patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.intp]], float]
"""A figure of the patients with these indices; NaN where it does not exist for them."""


@dataclass(frozen=True)
class Interval:
    """The figure of all patients and the percentiles of its resamples; None: does not exist."""

    value: float | None
    low: float | None
    high: float | None


def bootstrap(
    statistic: Statistic,
    patients: int,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Resample `patients` indices with replacement; the middle `level` of what comes out.

    Two arms are compared on the same patients by a statistic that is their difference: the
    indices then are the same for both. Resamples for which the figure does not exist are left
    out; without any, or for a single patient, low and high are None.
    """
    value = statistic(np.arange(patients))
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(patients, size=patients)) for _ in range(resamples)]
    found = np.array(drawn)[~np.isnan(drawn)]
    own = None if np.isnan(value) else float(value)
    if patients < 2 or not len(found):
        return Interval(own, None, None)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(own, float(low), float(high))
