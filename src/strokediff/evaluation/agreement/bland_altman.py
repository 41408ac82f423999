"""Limits of agreement: between what two readers' volumes of one patient differ (Bland and Altman).

With d_i = A_i - B_i of n patients, m_i = (A_i + B_i) / 2, d and s the mean and the sample standard
deviation of the d_i, and z = 1.96 (the normal quantile of 97.5 %):

    bias = d                      with  d -+ t_{n-1} s / sqrt(n)
    limits of agreement = d -+ z s

(Bland and Altman 1986, Lancet 327:307). The confidence interval of a limit is exact for normal
differences: as d + z s estimates a quantile, (mu + z sigma - d) sqrt(n) / s is noncentral t with
n - 1 degrees of freedom and noncentrality z sqrt(n) (Carkeet 2015, Optom Vis Sci 92:e71). It is
wider away from the bias than towards it.

Two regressions say whether one pair of limits fits all sizes (Bland and Altman 1999, Stat Methods
Med Res 8:135, section 3):

    proportional bias: d_i = b_0 + b_1 m_i    b_1 is not 0: the bias changes with the volume
    spread: |d_i - b_0 - b_1 m_i| = c_0 + c_1 m_i    c_1 is above 0: the spread grows with it

b_1 is 0 just where both readers' volumes have one variance. Where the spread grows, differences of
ln A and ln B are read instead: exp of their mean is the geometric mean of A / B, exp of their
limits are limits of A / B. Patients of whom a volume is 0 have no ratio; they are left out of that
scale and counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from strokediff.evaluation.agreement.estimate import (
    LEVEL,
    ROUNDING,
    Estimate,
    both_tails,
    paired,
)

COVERAGE = 0.95
"""Share of patients whose difference lies between the limits."""


@dataclass(frozen=True)
class Trend:
    """A line over the mean volume: its slope, its height at 0, and the p of a slope of 0."""

    slope: Estimate
    intercept: float | None = None
    p: float | None = None

    @property
    def rises(self) -> bool:
        """Whether the slope's interval lies above 0."""
        return self.slope.low is not None and self.slope.low > 0


@dataclass(frozen=True)
class BlandAltman:
    """Bias and limits of agreement of `n` patients; `left_out` have no value on this scale.

    Of differences all is in mL. Of ratios `bias`, `lower` and `upper` are factors, and `sd` and
    both trends are of ln A - ln B (over the mean of the two logarithms).

    >>> found = differences([10, 20, 31, 44], [8, 19, 26, 41])
    >>> found.bias.told(".1f"), found.lower.told(".1f")
    ('2.8 [0.0, 5.5]', '-0.6 [-10.4, 1.3]')
    """

    n: int
    left_out: int
    bias: Estimate
    sd: float | None
    lower: Estimate
    upper: Estimate
    proportional: Trend
    spread: Trend


def differences(volumes_a: ArrayLike, volumes_b: ArrayLike, *, level: float = LEVEL) -> BlandAltman:
    """Bias and limits of A - B, in the volumes' unit; `level` is of the confidence intervals.

    Raises `UsageError` for volumes that are not of the same patients, or not 0 or more.
    """
    a, b = paired(volumes_a, volumes_b)
    return _of(a - b, (a + b) / 2, level)


def ratios(volumes_a: ArrayLike, volumes_b: ArrayLike, *, level: float = LEVEL) -> BlandAltman:
    """Bias and limits of A / B, by the logarithms of volumes; raises as `differences`.

    >>> found = ratios([10, 20, 40, 0], [5, 10, 20, 3])
    >>> round(found.bias.value, 3), round(found.upper.value, 3), found.n, found.left_out
    (2.0, 2.0, 3, 1)
    """
    a, b = paired(volumes_a, volumes_b)
    there = (a > 0) & (b > 0)
    log_a, log_b = np.log(a[there]), np.log(b[there])
    found = _of(log_a - log_b, (log_a + log_b) / 2, level)
    bias, lower, upper = (own.mapped(math.exp) for own in (found.bias, found.lower, found.upper))
    left_out = int(np.count_nonzero(~there))
    return replace(found, left_out=left_out, bias=bias, lower=lower, upper=upper)


def _of(d: NDArray[np.float64], m: NDArray[np.float64], level: float) -> BlandAltman:
    n, tails = len(d), both_tails(level)
    proportional = _trend(m, d, tails)
    fitted = (proportional.intercept or 0.0) + (proportional.slope.value or 0.0) * m
    spread = _trend(m, np.abs(d - fitted), tails)
    if n < 2:
        note = "limits of agreement need at least 2 patients"
        value = float(d[0]) if n else None
        no = Estimate.none(note)
        return BlandAltman(n, 0, Estimate(value, note=note), None, no, no, proportional, spread)
    mean, sd = float(d.mean()), float(d.std(ddof=1))
    z = float(stats.norm.ppf((1 + COVERAGE) / 2))
    t = float(stats.t.ppf(tails[1], n - 1)) * sd / math.sqrt(n)
    near, far = (float(q) * sd / math.sqrt(n) for q in _noncentral(tails, n, z))
    return BlandAltman(
        n,
        0,
        Estimate(mean, mean - t, mean + t),
        sd,
        Estimate(mean - z * sd, mean - far, mean - near),
        Estimate(mean + z * sd, mean + near, mean + far),
        proportional,
        spread,
    )


def _noncentral(tails: tuple[float, float], n: int, z: float) -> NDArray[np.float64]:
    """Quantiles of t with n - 1 degrees of freedom and noncentrality z sqrt(n)."""
    return np.asarray(stats.nct.ppf(tails, n - 1, z * math.sqrt(n)))


def _trend(x: NDArray[np.float64], y: NDArray[np.float64], tails: tuple[float, float]) -> Trend:
    """The least-squares line of y over x, with the t interval of its slope."""
    if len(x) < 3:
        return Trend(Estimate.none("a trend needs at least 3 patients"))
    if np.ptp(x) == 0:
        return Trend(Estimate.none("all mean volumes are equal, so a trend does not exist"))
    n, off, least = len(x), x - x.mean(), ROUNDING * max(np.abs(x).max(), np.abs(y).max())
    slope = float(off @ y / (off @ off))
    intercept = float(y.mean() - slope * x.mean())
    left = y - intercept - slope * x
    if (np.abs(left) <= least).all():
        return Trend(Estimate(slope, note="all patients lie on the line"), intercept)
    error = math.sqrt(float(left @ left) / (n - 2) / float(off @ off))
    half = float(stats.t.ppf(tails[1], n - 2)) * error
    p = 2 * float(stats.t.sf(abs(slope) / error, n - 2))
    return Trend(Estimate(slope, slope - half, slope + half), intercept, p)
