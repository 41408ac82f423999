"""Lin's concordance correlation: how close pairs of volumes lie to the line of identity.

With the means a and b, variances s_a^2 and s_b^2 and the covariance s_ab of two readers' volumes,
all with the divisor n (Lin 1989, Biometrics 45:255):

    CCC = 2 s_ab / (s_a^2 + s_b^2 + (a - b)^2) = r C

r is Pearson's and C <= 1 how far scale and place are off. The interval is normal for Z = atanh CCC,
with the variance (Lin 1989, corrected in Biometrics 2000, 56:324) and u^2 = (a - b)^2 / (s_a s_b):

    [(1 - r^2) C^2 / (1 - CCC^2) + 2 CCC^2 C (1 - CCC) u^2 / (1 - CCC^2)^2
     - CCC^2 C^2 u^4 / (2 (1 - CCC^2)^2)] / (n - 2)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from strokediff.evaluation.agreement.estimate import (
    EXACT,
    LEVEL,
    ROUNDING,
    Estimate,
    both_tails,
    paired,
)

REVERSED = "the readers' volumes are exactly reversed, so an interval does not exist"


def concordance(volumes_a: ArrayLike, volumes_b: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Lin's CCC of two readers' volumes (n,) with its interval; None where it does not exist.

    Raises `UsageError` for volumes that are not of the same patients, or not 0 or more.

    >>> concordance([10, 20, 31, 44], [8, 19, 27, 41]).told()
    '0.98 [0.81, 1.00]'
    """
    a, b = paired(volumes_a, volumes_b)
    tails, n = both_tails(level), len(a)
    if n < 2:
        return Estimate.none("a concordance needs at least 2 patients")
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return Estimate.none("no volume varies from patient to patient")
    shift = float(a.mean() - b.mean())
    sd_a, sd_b = float(a.std()), float(b.std())
    s_ab = float(((a - a.mean()) * (b - b.mean())).mean())
    ccc = 2 * s_ab / (sd_a**2 + sd_b**2 + shift**2)
    if abs(ccc) > 1 - ROUNDING:
        return Estimate(1.0, note=EXACT) if ccc > 0 else Estimate(-1.0, note=REVERSED)
    if n < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        few = "its interval needs at least 3 patients"
        return Estimate(ccc, note=few if n < 3 else "one reader's volumes are all equal")
    off = 2 * sd_a * sd_b / (sd_a**2 + sd_b**2 + shift**2)
    r, u2, apart = s_ab / (sd_a * sd_b), shift**2 / (sd_a * sd_b), 1 - ccc**2
    variance = (
        (1 - r**2) * off**2 / apart
        + 2 * ccc**2 * off * (1 - ccc) * u2 / apart**2
        - ccc**2 * off**2 * u2**2 / (2 * apart**2)
    ) / (n - 2)
    half = float(stats.norm.ppf(tails[1])) * math.sqrt(max(variance, 0.0))
    z = math.atanh(ccc)
    return Estimate(ccc, math.tanh(z - half), math.tanh(z + half))
