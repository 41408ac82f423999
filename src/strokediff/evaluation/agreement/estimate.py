"""A figure with its confidence interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strokediff.errors import UsageError

LEVEL = 0.95
"""Of every confidence interval, unless another is asked for."""
ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Deviations below this share of the largest value are sums that were rounded, not variance."""
EXACT = "the readers agree exactly, so an interval does not exist"


@dataclass(frozen=True)
class Estimate:
    """A figure from `low` to `high`; `note` says why it or its interval is None.

    >>> Estimate(0.5, 0.25, 0.75).told(), Estimate.none("one patient").told()
    ('0.50 [0.25, 0.75]', 'none: one patient')
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str | None = None

    @classmethod
    def none(cls, note: str) -> Estimate:
        """One that does not exist."""
        return cls(None, note=note)

    def mapped(self, f: Callable[[float], float]) -> Estimate:
        """The same on another scale; `f` rises, and may overflow at an end of the interval."""
        if self.value is None:
            return self
        value = f(self.value)
        if self.low is None or self.high is None:
            return Estimate(value, note=self.note)
        try:
            return Estimate(value, f(self.low), f(self.high), self.note)
        except OverflowError:
            return Estimate(value, note="its interval is beyond all numbers")

    def told(self, form: str = ".2f") -> str:
        """In words, for people."""
        if self.value is None:
            return f"none: {self.note}"
        if self.low is None or self.high is None:
            return format(self.value, form)
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"


def both_tails(level: float) -> tuple[float, float]:
    """The probabilities that a two-sided interval leaves out below its ends.

    Raises `UsageError` unless `level` is between 0 and 1.

    >>> [round(p, 3) for p in both_tails(0.95)]
    [0.025, 0.975]
    """
    if not (0 < level < 1):
        raise UsageError(f"level: expected a share between 0 and 1, such as 0.95, got {level!r}.")
    return (1 - level) / 2, (1 + level) / 2


def measured(name: str, volumes: ArrayLike) -> NDArray[np.float64]:
    """Volumes of patients (n,), n >= 1; `UsageError` unless they are finite and 0 or more."""
    found = np.asarray(volumes, dtype=np.float64)
    if found.ndim != 1 or not len(found):
        raise UsageError(
            f"{name}: shape {found.shape}. Expected a volume a patient, (n,), of at least one."
        )
    wrong = [i for i, volume in enumerate(found) if not (math.isfinite(volume) and volume >= 0)]
    if wrong:
        raise UsageError(
            f"{name}[{wrong[0]}]: expected a volume of 0 or more, got {found[wrong[0]]}. Leave out "
            "patients whom only one reader measured."
        )
    return found


def paired(
    volumes_a: ArrayLike, volumes_b: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both readers' volumes (n,); raises as `measured`, and if they are of other patients."""
    a, b = measured("volumes_a", volumes_a), measured("volumes_b", volumes_b)
    if len(a) != len(b):
        raise UsageError(
            f"volumes_b: {len(b)} volumes. Expected {len(a)}, one for each of volumes_a, in the "
            "same order of patients."
        )
    return a, b


def checked_thresholds(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Volumes to decide by, rising; `UsageError` unless all are above 0."""
    for volume in thresholds:
        if not (math.isfinite(volume) and volume > 0):
            raise UsageError(f"thresholds: expected volumes above 0, got {volume!r}.")
    return tuple(sorted({float(volume) for volume in thresholds}))
