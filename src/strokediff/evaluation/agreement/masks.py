"""How two readers' masks of one patient agree. None is the truth, so both count alike.

With |A|, |B| the voxels that each marks, of N in the image:

    Dice = 2 |A and B| / (|A| + |B|)      IoU = |A and B| / |A or B|
    A in B = |A and B| / |A|              B in A = |A and B| / |B|

HD, HD95 and what holds for empty masks are as in `strokediff.evaluation.metrics`: both empty is
agreement (Dice 1), one empty is none (Dice 0). Kappa is Cohen's, over all voxels: of a small lesion
in a large image it is Dice but for the few that chance puts into both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.evaluation.agreement.kappa import Decisions
from strokediff.evaluation.metrics import evaluate_case
from strokediff.evaluation.unit import Unit

Table = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MaskAgreement:
    """One patient's row. Distances are in mm, volumes in mL; in pixels where `unit` is PX.

    `voxels` are both readers' decisions, voxel by voxel.
    """

    case: str
    dice: float
    iou: float
    a_in_b: float
    b_in_a: float
    hd_mm: float
    hd95_mm: float
    volume_a_ml: float
    volume_b_ml: float
    voxels: Decisions
    unit: Unit = Unit.MM

    @property
    def difference_ml(self) -> float:
        """A - B."""
        return self.volume_a_ml - self.volume_b_ml

    @property
    def mean_ml(self) -> float:
        """Of both volumes."""
        return (self.volume_a_ml + self.volume_b_ml) / 2

    @property
    def ratio(self) -> float | None:
        """A / B; None where a volume is 0."""
        there = self.volume_a_ml > 0 and self.volume_b_ml > 0
        return self.volume_a_ml / self.volume_b_ml if there else None

    @property
    def kappa_voxels(self) -> float | None:
        """Cohen's kappa over the image's voxels; None where both marked none, or all."""
        return self.voxels.kappa().value

    @property
    def marked(self) -> bool:
        """Whether either reader found a lesion."""
        return self.volume_a_ml > 0 or self.volume_b_ml > 0


def compare_masks(
    case: str,
    mask_a: NDArray[np.bool_],
    mask_b: NDArray[np.bool_],
    *,
    affine: NDArray[np.float64],
    unit: Unit = Unit.MM,
) -> MaskAgreement:
    """One patient's row of masks (X, Y, Z) on one grid, whose `affine` (4, 4) takes indices to mm.

    Raises `ValueError` on shapes that differ.

    >>> a, b = np.zeros((2, 10, 10, 4), dtype=bool)
    >>> a[2:6, 2:6, 1:3] = b[3:6, 2:6, 1:3] = True
    >>> found = compare_masks("p1", a, b, affine=np.diag([0.5, 0.5, 5.0, 1.0]))
    >>> round(found.dice, 3), found.a_in_b, found.b_in_a, round(found.difference_ml, 3)
    (0.857, 0.75, 1.0, 0.01)
    """
    found = evaluate_case(case, mask_pred=mask_a, mask_true=mask_b, affine=affine, unit=unit)
    return MaskAgreement(
        case=case,
        dice=found.dice,
        iou=found.iou,
        a_in_b=found.precision,
        b_in_a=found.recall,
        hd_mm=found.hd_mm,
        hd95_mm=found.hd95_mm,
        volume_a_ml=found.volume_pred_ml,
        volume_b_ml=found.volume_true_ml,
        voxels=Decisions.of(mask_a, mask_b),
        unit=unit,
    )


@dataclass(frozen=True)
class KindsAgreement:
    """One patient's rows: `joined` of lesions of any kind, `kinds` of each by its name.

    `voxels` (K, K) counts the voxels that A marks as the row's kind and B as the column's.
    """

    joined: MaskAgreement
    kinds: dict[str, MaskAgreement]
    voxels: Table


def compare_kinds(
    case: str,
    kinds: tuple[str, ...],
    masks_a: NDArray[np.bool_],
    masks_b: NDArray[np.bool_],
    *,
    affine: NDArray[np.float64],
    unit: Unit = Unit.MM,
) -> KindsAgreement:
    """The same of masks (K, X, Y, Z), one a kind.

    >>> a, b = np.zeros((2, 2, 6, 6, 2), dtype=bool)
    >>> a[0, 1:3, 1:3] = b[1, 1:3, 1:3] = True
    >>> found = compare_kinds("p1", ("infarct", "haemorrhage"), a, b, affine=np.eye(4))
    >>> found.joined.dice, found.kinds["infarct"].dice, found.voxels
    (1.0, 0.0, ((0, 8), (0, 0)))
    """

    def row(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> MaskAgreement:
        return compare_masks(case, a, b, affine=affine, unit=unit)

    return KindsAgreement(
        row(np.asarray(masks_a.any(axis=0)), np.asarray(masks_b.any(axis=0))),
        {kind: row(masks_a[k], masks_b[k]) for k, kind in enumerate(kinds)},
        tuple(tuple(int(np.count_nonzero(a & b)) for b in masks_b) for a in masks_a),
    )


def same_kind(tables: list[Table]) -> float | None:
    """Of all voxels that both mark, in the share of which the kind is the same; None without any.

    >>> same_kind([((30, 10), (0, 60))])
    0.9
    """
    total = np.sum(tables, axis=0)
    return float(np.trace(total) / total.sum()) if total.sum() else None
