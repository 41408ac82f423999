"""Two readers over a cohort: how their volumes agree, and how far their masks overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.evaluation.agreement.estimate import LEVEL, Estimate
from strokediff.evaluation.agreement.kappa import Decisions
from strokediff.evaluation.agreement.masks import MaskAgreement
from strokediff.evaluation.agreement.volumes import THRESHOLDS_ML, Agreement, agreement
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.evaluation.unit import Unit


@dataclass(frozen=True)
class Overlap:
    """Means over patients with the bootstrap's interval over patients.

    `dice_marked` is of the `n_marked` patients in whom either reader found a lesion: where both
    find none, Dice is 1 whatever they do elsewhere. `kappa_voxels` is of all patients' voxels.
    """

    dice: Estimate
    dice_marked: Estimate
    n_marked: int
    iou: Estimate
    hd95_mm: Estimate
    kappa_voxels: Estimate


@dataclass(frozen=True)
class CohortAgreement:
    """All that is said of one kind of lesion, or of all joined.

    >>> from strokediff.evaluation.agreement.masks import compare_masks
    >>> a = np.zeros((8, 8, 4), dtype=bool)
    >>> a[2:5, 2:5, 1:3] = True
    >>> shifted = [np.roll(a, k, axis=0) for k in range(3)]
    >>> rows = [compare_masks("p", a, b, affine=np.eye(4)) for b in shifted]
    >>> found = CohortAgreement.of(rows)
    >>> round(found.overlap.dice.value, 2), found.volumes.difference.bias.value
    (0.67, 0.0)
    """

    volumes: Agreement
    overlap: Overlap
    unit: Unit

    @classmethod
    def of(
        cls,
        rows: Sequence[MaskAgreement],
        *,
        thresholds: Sequence[float] = THRESHOLDS_ML,
        level: float = LEVEL,
    ) -> CohortAgreement:
        """Of one row a patient; `ValueError` if there is none, or units differ."""
        units = {row.unit for row in rows}
        if len(units) != 1:
            raise ValueError(f"expected rows of one unit, got {len(rows)} rows of {units}")
        volumes = agreement(
            [row.volume_a_ml for row in rows],
            [row.volume_b_ml for row in rows],
            thresholds=thresholds,
            level=level,
        )
        return cls(volumes, _overlap(rows, level), units.pop())


def _overlap(rows: Sequence[MaskAgreement], level: float) -> Overlap:
    marked = [row for row in rows if row.marked]
    return Overlap(
        dice=_mean([row.dice for row in rows], level),
        dice_marked=_mean([row.dice for row in marked], level),
        n_marked=len(marked),
        iou=_mean([row.iou for row in rows], level),
        hd95_mm=_mean([row.hd95_mm for row in rows], level),
        kappa_voxels=_kappa([row.voxels for row in rows], level),
    )


def _mean(values: Sequence[float], level: float) -> Estimate:
    if not values:
        return Estimate.none("neither reader found a lesion in anybody")
    array = np.array(values)
    return _bootstrapped(lambda index: float(array[index].mean()), len(array), level)


def _kappa(patients: Sequence[Decisions], level: float) -> Estimate:
    """Kappa over the voxels of all patients, who are drawn whole: voxels are not independent."""
    counts = np.array([np.ravel(own.table()) for own in patients])
    if counts.sum(0)[:3].sum() == 0:
        return Estimate.none("neither reader marked a voxel")
    return _bootstrapped(lambda index: _pooled(counts[index].sum(0)), len(counts), level)


def _pooled(counts: NDArray[np.int64]) -> float:
    """Kappa of counts (4,); NaN where it does not exist."""
    value = Decisions(*map(int, counts)).kappa().value
    return float("nan") if value is None else value


def _bootstrapped(
    statistic: Callable[[NDArray[np.intp]], float], patients: int, level: float
) -> Estimate:
    found = bootstrap(statistic, patients, level=level)
    note = "an interval over patients needs at least 2" if found.low is None else None
    return Estimate(found.value, found.low, found.high, note)
