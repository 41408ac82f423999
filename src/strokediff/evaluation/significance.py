"""Which differences between methods are more than chance: paired tests over the same patients.

Wilcoxon's signed-rank test (1945) of every method against a reference, with ties and zeros after
Pratt (1959), and Holm's correction (1979) for testing several methods at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class PairedTest:
    """A method against the reference: mean difference, p value, and p after Holm's correction.

    `rank_sum` is what the test is of: the sum of the ranks of the differences by size, each with
    its difference's sign. One large difference can turn the mean against it.
    """

    mean: float
    rank_sum: float
    n: int
    p: float
    p_holm: float

    @property
    def significant(self) -> bool:
        """Below 5 % after the correction."""
        return self.p_holm < 0.05


def paired_p(values: Sequence[float | None], reference: Sequence[float | None]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test over patients that have both values.

    1 where no pair differs. Raises `ValueError` if the lists differ in length.

    >>> paired_p([0.6, 0.7, 0.8, None], [0.5, 0.5, 0.5, 0.5])
    0.25
    """
    apart = _pairs(values, reference)
    if not len(apart) or not np.any(apart):
        return 1.0
    return float(stats.wilcoxon(apart, zero_method="pratt").pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down: p_(k) becomes max over j <= k of min(1, (m - j + 1) p_(j))."""
    order = np.argsort(p, kind="stable")
    corrected = [0.0] * len(p)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = highest
    return corrected


def against(
    pairs: Mapping[str, tuple[Sequence[float | None], Sequence[float | None]]],
) -> dict[str, PairedTest]:
    """Every method's difference from the reference, corrected for the number of methods.

    A pair is the values of the method and those of the reference, patient by patient.
    """
    p = [paired_p(values, reference) for values, reference in pairs.values()]
    out = {}
    for (name, pair), raw, corrected in zip(pairs.items(), p, holm(p), strict=True):
        apart = _pairs(*pair)
        mean = float(apart.mean()) if len(apart) else float("nan")
        out[name] = PairedTest(mean, _rank_sum(apart), len(apart), raw, corrected)
    return out


def _rank_sum(apart: np.ndarray) -> float:
    """Of all ranks, as Pratt has them: pairs that do not differ take the lowest and count 0."""
    return float((np.sign(apart) * stats.rankdata(np.abs(apart))).sum())


def _pairs(values: Sequence[float | None], reference: Sequence[float | None]) -> np.ndarray:
    """The differences of the patients that have both."""
    both = [
        (v, r) for v, r in zip(values, reference, strict=True) if v is not None and r is not None
    ]
    return np.array([v - r for v, r in both], dtype=np.float64)
