"""Intraclass correlations of single volumes: which share of all variance is between the patients.

Of n patients (rows) and k readers (columns), with the mean squares MS_R between patients (n - 1
degrees of freedom), MS_C between readers (k - 1), MS_E of what is left ((n - 1)(k - 1)) and MS_W
within patients (n (k - 1)); Shrout and Fleiss 1979 (Psychol Bull 86:420) write BMS, JMS, EMS, WMS:

    ICC(1,1) = (MS_R - MS_W) / (MS_R + (k - 1) MS_W)                other readers for each patient
    ICC(2,1) = (MS_R - MS_E) / (MS_R + (k - 1) MS_E + k (MS_C - MS_E) / n)      readers at random
    ICC(3,1) = (MS_R - MS_E) / (MS_R + (k - 1) MS_E)                just these readers

ICC(2,1) counts a bias between readers as disagreement ("absolute agreement"), ICC(3,1) does not
("consistency"). McGraw and Wong 1996 (Psychol Methods 1:30, with its erratum, 1:390) call them
ICC(1), ICC(A,1) and ICC(C,1); the intervals are those of their Table 7. F is the quantile of level
(1 + level) / 2:

    (1,1)  F_0 = MS_R / MS_W, from (F_0 / F_{n-1, n(k-1)} - 1) / (F_0 / F_{n-1, n(k-1)} + k - 1)
    (3,1)  F_0 = MS_R / MS_E, the same with F_{n-1, (n-1)(k-1)}
    (2,1)  from n (MS_R - F MS_E) / (F (k MS_C + (kn - k - n) MS_E) + n MS_R) with F = F_{n-1, v}
           to   n (F MS_R - MS_E) / (k MS_C + (kn - k - n) MS_E + n F MS_R)   with F = F_{v, n-1}
           v = (a MS_C + b MS_E)^2 / ((a MS_C)^2 / (k-1) + (b MS_E)^2 / ((n-1)(k-1)))
           a = k r / (n (1 - r)),  b = 1 + k r (n - 1) / (n (1 - r)),  r = ICC(2,1)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.estimate import (
    EXACT,
    LEVEL,
    ROUNDING,
    Estimate,
    both_tails,
)

LEAST_DF = 0.5
"""Below so many degrees of freedom v, F's quantiles are 0 or beyond all numbers."""


@dataclass(frozen=True)
class MeanSquares:
    """Those of the analysis of variance of n patients (rows) and k readers (columns).

    >>> MeanSquares.of([[1, 2], [3, 4], [5, 6]])
    MeanSquares(n=3, k=2, rows=8.0, columns=1.5, error=0.0, within=0.5)
    """

    n: int
    k: int
    rows: float
    columns: float
    error: float
    within: float

    @classmethod
    def of(cls, ratings: ArrayLike) -> MeanSquares:
        """Of values (n, k); `UsageError` unless they are finite, n and k at least 2."""
        x = np.asarray(ratings, dtype=np.float64)
        if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
            raise UsageError(
                f"ratings: shape {x.shape}. Expected finite values, a row a patient and a column a "
                "reader, at least two of each."
            )
        n, k = x.shape
        by_row, by_column, grand = x.mean(1, keepdims=True), x.mean(0, keepdims=True), x.mean()
        least = ROUNDING * float(np.abs(x).max())

        def squares(deviations: np.ndarray) -> float:
            kept = np.where(np.abs(deviations) <= least, 0.0, deviations)
            return float((kept**2).sum())

        return cls(
            n,
            k,
            rows=k * squares(by_row - grand) / (n - 1),
            columns=n * squares(by_column - grand) / (k - 1),
            error=squares(x - by_row - by_column + grand) / ((n - 1) * (k - 1)),
            within=squares(x - by_row) / (n * (k - 1)),
        )


@dataclass(frozen=True)
class ICC:
    """The three intraclass correlations of single values, by Shrout and Fleiss's names.

    >>> found = icc([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]])
    >>> found.icc_3_1.told()
    '0.64 [0.13, 0.97]'
    """

    icc_1_1: Estimate
    icc_2_1: Estimate
    icc_3_1: Estimate


def icc(ratings: ArrayLike, *, level: float = LEVEL) -> ICC:
    """ICC(1,1), ICC(2,1) and ICC(3,1) of volumes (n, k): a row a patient, a column a reader.

    Any number of readers from two. Formulas are at the top of this module; a figure that does not
    exist is None and says why. Raises `UsageError` for other shapes and for values not finite.

    >>> found = icc([[10, 12], [21, 22], [30, 33], [38, 41]])
    >>> found.icc_2_1.told(), found.icc_3_1.told()
    ('0.98 [0.15, 1.00]', '1.00 [0.95, 1.00]')
    """
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim == 2 and len(x) == 1:
        alone = Estimate.none("an intraclass correlation needs at least 2 patients")
        return ICC(alone, alone, alone)
    ms, tail = MeanSquares.of(x), both_tails(level)[1]
    return ICC(
        _of_ratio(ms, ms.within, ms.n * (ms.k - 1), tail),
        _agreement(ms, tail),
        _of_ratio(ms, ms.error, (ms.n - 1) * (ms.k - 1), tail),
    )


def _of_ratio(ms: MeanSquares, noise: float, df: int, tail: float) -> Estimate:
    """ICC(1,1) with the noise MS_W, ICC(3,1) with MS_E, on `df` degrees of freedom."""
    if ms.rows == 0 and noise == 0:
        return Estimate.none("no volume varies from patient to patient")
    value = (ms.rows - noise) / (ms.rows + (ms.k - 1) * noise)
    if noise == 0:
        return Estimate(value, note=EXACT)

    def end(ratio: float) -> float:
        return (ratio - 1) / (ratio + ms.k - 1)

    f_0 = ms.rows / noise
    low = end(f_0 / float(stats.f.ppf(tail, ms.n - 1, df)))
    return Estimate(value, low, end(f_0 * float(stats.f.ppf(tail, df, ms.n - 1))))


def _agreement(ms: MeanSquares, tail: float) -> Estimate:
    """ICC(2,1)."""
    n, k = ms.n, ms.k
    if ms.rows == 0 and ms.error == 0:
        return Estimate.none("no volume varies from patient to patient")
    total = ms.rows + (k - 1) * ms.error + k * (ms.columns - ms.error) / n
    if total <= 0:
        return Estimate.none("the variances of patients, readers and error cancel")
    r = (ms.rows - ms.error) / total
    if r > 1 - ROUNDING:
        return Estimate(r, note=EXACT)
    a, b = k * r / (n * (1 - r)), 1 + k * r * (n - 1) / (n * (1 - r))
    parts = (a * ms.columns) ** 2 / (k - 1) + (b * ms.error) ** 2 / ((n - 1) * (k - 1))
    v = (a * ms.columns + b * ms.error) ** 2 / parts if parts else 0.0
    if v < LEAST_DF:
        return Estimate(r, note="its variance is known from too little for an interval")
    readers = k * ms.columns + (k * n - k - n) * ms.error
    f = float(stats.f.ppf(tail, n - 1, v))
    low = n * (ms.rows - f * ms.error) / (f * readers + n * ms.rows)
    f = float(stats.f.ppf(tail, v, n - 1))
    return Estimate(r, low, n * (f * ms.rows - ms.error) / (readers + n * f * ms.rows))
