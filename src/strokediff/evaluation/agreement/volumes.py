"""`agreement`: every figure of how well two readers' volumes agree, from two lists of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from strokediff.evaluation.agreement.bland_altman import BlandAltman, differences, ratios
from strokediff.evaluation.agreement.concordance import concordance
from strokediff.evaluation.agreement.estimate import (
    LEVEL,
    Estimate,
    checked_thresholds,
    paired,
)
from strokediff.evaluation.agreement.icc import ICC, icc
from strokediff.evaluation.agreement.kappa import Decisions

THRESHOLDS_ML = (1.0, 10.0, 30.0, 50.0, 70.0)
"""Volumes by which patients are chosen for trials and treatment."""


@dataclass(frozen=True)
class Agreement:
    """How well two readers' volumes agree; neither is the truth.

    `difference` and `ratio` are Bland and Altman's limits of A - B and of A / B, `icc` the
    intraclass correlations, `ccc` Lin's concordance, `lesion` on whom they found one at all, and
    `at_least` on whose lesion has a volume or more. `level` is of all confidence intervals.

    >>> found = agreement([0, 12, 35, 80], [0.4, 10, 30, 64])
    >>> found.icc.icc_2_1.told(), found.lesion.only_b, found.at_least[70].only_a
    ('0.97 [0.65, 1.00]', 1, 1)
    >>> found.ratio.left_out, found.kappa(10).note
    (1, 'the readers agree exactly, so an interval does not exist')
    """

    volumes_a: tuple[float, ...]
    volumes_b: tuple[float, ...]
    difference: BlandAltman
    ratio: BlandAltman
    icc: ICC
    ccc: Estimate
    lesion: Decisions
    at_least: Mapping[float, Decisions]
    level: float = LEVEL

    @property
    def n(self) -> int:
        """How many patients."""
        return len(self.volumes_a)

    @property
    def spread_grows(self) -> bool:
        """Whether differences grow with the volume: then the limits of the ratio are to be read."""
        return self.difference.spread.rises and self.ratio.upper.value is not None

    def kappa(self, volume: float | None = None) -> Estimate:
        """Cohen's kappa of "a lesion, yes or no", or of "at least this volume"."""
        found = self.lesion if volume is None else self.at_least[volume]
        return found.kappa(self.level)


def agreement(
    volumes_a: ArrayLike,
    volumes_b: ArrayLike,
    *,
    thresholds: Sequence[float] = THRESHOLDS_ML,
    level: float = LEVEL,
) -> Agreement:
    """How well two readers' lesion volumes of the same patients agree.

    `volumes_a` and `volumes_b` (n,) are in mL, 0 where a reader found no lesion, in one order of
    patients. Formulas are in the modules beside this one. A figure that does not exist (of one
    patient, of volumes that are all equal) is None and its `note` says why. Raises `UsageError` for
    lists of other lengths, volumes below 0 or not finite, thresholds of 0, levels beyond (0, 1).

    >>> found = agreement([12, 35, 80, 4, 51], [10, 30, 64, 5, 47])
    >>> found.difference.bias.told(".1f"), found.ccc.told()
    ('5.2 [-2.8, 13.2]', '0.95 [0.81, 0.99]')
    >>> found.difference.lower.told(".0f"), found.difference.upper.told(".0f")
    ('-7 [-33, -1]', '18 [11, 44]')
    >>> agreement([12], [10]).ccc.note
    'a concordance needs at least 2 patients'
    """
    a, b = paired(volumes_a, volumes_b)
    return Agreement(
        tuple(a.tolist()),
        tuple(b.tolist()),
        difference=differences(a, b, level=level),
        ratio=ratios(a, b, level=level),
        icc=icc(np.column_stack([a, b]), level=level),
        ccc=concordance(a, b, level=level),
        lesion=Decisions.of(a > 0, b > 0),
        at_least={v: Decisions.of(a >= v, b >= v) for v in checked_thresholds(thresholds)},
        level=level,
    )
