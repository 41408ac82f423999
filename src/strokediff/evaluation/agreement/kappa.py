"""Cohen's kappa: agreement of two readers' decisions beyond what chance would give.

With p_ij the share of decisions i by A and j by B, p_o = sum_i p_ii and p_e = sum_i p_i. p_.i:

    kappa = (p_o - p_e) / (1 - p_e)

(Cohen 1960, Educ Psychol Meas 20:37), and kappa -+ z se with the large-sample variance

    se^2 = {sum_i p_ii [(1 - p_e) - (p_i. + p_.i)(1 - p_o)]^2
            + (1 - p_o)^2 sum_{i != j} p_ij (p_.i + p_j.)^2
            - (p_o p_e - 2 p_e + p_o)^2} / (n (1 - p_e)^4)

(Fleiss, Cohen and Everitt 1969, Psychol Bull 72:323). The interval is cut off at -1 and 1. Where
both readers say the same of everybody there is no chance to agree beyond: kappa does not exist.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.estimate import EXACT, LEVEL, Estimate, both_tails


@dataclass(frozen=True)
class Decisions:
    """Yes or no of both readers: how many said it both, only A, only B, neither.

    >>> Decisions(both=20, only_a=5, only_b=10, neither=15).kappa().told()
    '0.40 [0.15, 0.65]'
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    @classmethod
    def of(cls, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Decisions:
        """Count the decisions of two readers on the same things, arrays of one shape."""
        both = int(np.count_nonzero(a & b))
        yes_a, yes_b = int(np.count_nonzero(a)), int(np.count_nonzero(b))
        return cls(both, yes_a - both, yes_b - both, a.size - yes_a - yes_b + both)

    @property
    def n(self) -> int:
        """All of them."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def observed(self) -> float:
        """p_o, the share of which both said the same."""
        return (self.both + self.neither) / self.n

    def table(self) -> list[list[int]]:
        """Rows yes and no of A, columns of B."""
        return [[self.both, self.only_a], [self.only_b, self.neither]]

    def kappa(self, level: float = LEVEL) -> Estimate:
        """Cohen's kappa with its interval."""
        return cohens_kappa(self.table(), level=level)


def cohens_kappa(table: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Kappa of counts (K, K), rows what A decided and columns what B did, with its interval.

    Raises `UsageError` for other shapes and for tables without a count.

    >>> cohens_kappa([[88, 14, 18], [10, 40, 10], [2, 6, 12]]).told()
    '0.49 [0.39, 0.59]'
    """
    counts, tails = np.asarray(table, dtype=np.float64), both_tails(level)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
    if not square or (counts < 0).any() or not counts.sum() > 0:
        raise UsageError(
            f"table: shape {counts.shape}. Expected counts (K, K) of decisions, at least one."
        )
    n = float(counts.sum())
    p = counts / n
    rows, columns, right = p.sum(1), p.sum(0), np.diag(p)
    p_o, p_e = float(right.sum()), float(rows @ columns)
    if np.count_nonzero(counts.sum(1)) == 1 and np.array_equal(counts.sum(1), counts.sum(0)):
        return Estimate.none("both readers decide alike of all")
    value = (p_o - p_e) / (1 - p_e)
    if np.trace(counts) == counts.sum():
        return Estimate(1.0, note=EXACT)
    own = (right * ((1 - p_e) - (rows + columns) * (1 - p_o)) ** 2).sum()
    off = p * (columns[:, None] + rows[None, :]) ** 2
    other = (1 - p_o) ** 2 * (off.sum() - np.diag(off).sum())
    variance = (own + other - (p_o * p_e - 2 * p_e + p_o) ** 2) / (n * (1 - p_e) ** 4)
    half = float(stats.norm.ppf(tails[1])) * math.sqrt(max(float(variance), 0.0))
    if half == 0:
        return Estimate(value, note="its standard error is 0, so an interval does not exist")
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))
