"""Several kinds of lesion in one patient: each scored alone, all joined, and which was taken for
which.

Found lesions that touch no true one say nothing of the kind. Of the others, with F_i and T_i the
voxels found and true of kind i and T those of any:

    kind right, by voxels  = sum_i |F_i and T_i| / sum_i |F_i and T|
    kind right, by lesions = share of found lesions that touch T and lie mostly in T of their kind

where a lesion of kind i is a part of F_i that is connected through 26 neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import cc3d
import numpy as np
from numpy.typing import ArrayLike, NDArray

from strokediff.errors import UsageError
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case, grid_of
from strokediff.evaluation.unit import Unit
from strokediff.util.kinds import LESION

Table = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class KindConfusion:
    """Of what was found and touches a true lesion, how much is truly of which kind.

    `voxels` and `lesions` are counts, a row a found kind, a column a true one. A voxel of two
    true kinds counts for the found one if that is among them, else for the first.

    >>> found = KindConfusion(("infarct", "haemorrhage"), ((30, 10), (0, 60)), ((2, 1), (0, 1)))
    >>> found.voxels_right, found.lesions_right
    (0.9, 0.75)
    """

    kinds: tuple[str, ...]
    voxels: Table
    lesions: Table

    @classmethod
    def of(
        cls, kinds: Sequence[str], masks_pred: NDArray[np.bool_], masks_true: NDArray[np.bool_]
    ) -> KindConfusion:
        """Count the masks (K, X, Y, Z) of one patient."""
        first = np.where(masks_true.any(0), masks_true.argmax(0), -1)
        rows = [
            _row(kind, pred, np.where(true, kind, first), len(kinds))
            for kind, (pred, true) in enumerate(zip(masks_pred, masks_true, strict=True))
        ]
        voxels, lesions = zip(*rows, strict=True)
        return cls(tuple(kinds), voxels, lesions)

    def __add__(self, other: KindConfusion) -> KindConfusion:
        """The patients of both."""
        return KindConfusion(
            self.kinds, _sum(self.voxels, other.voxels), _sum(self.lesions, other.lesions)
        )

    @property
    def voxels_right(self) -> float | None:
        """The share of right voxels; None where no found voxel is truly lesion."""
        return _share_right(self.voxels)

    @property
    def lesions_right(self) -> float | None:
        """The share of right lesions; None where no found lesion touches a true one."""
        return _share_right(self.lesions)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kinds": list(self.kinds),
            "voxels": [list(row) for row in self.voxels],
            "lesions": [list(row) for row in self.lesions],
            "voxels_right": self.voxels_right,
            "lesions_right": self.lesions_right,
        }


def _row(
    kind: int, pred: NDArray[np.bool_], truly: NDArray[np.intp], kinds: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many voxels and lesions found as `kind` are truly of each; `truly` is -1 elsewhere."""
    labels, n = cc3d.connected_components(
        np.ascontiguousarray(pred), connectivity=26, return_N=True
    )
    hit = pred & (truly >= 0)
    by_lesion = np.zeros((int(n) + 1, kinds), np.int64)
    np.add.at(by_lesion, (labels[hit], truly[hit]), 1)
    touching = by_lesion[by_lesion.any(1)]
    most = np.where(
        touching[:, kind] == touching.max(1, initial=0), kind, touching.argmax(1)
    )  # what lies in two kinds alike is right
    lesions = np.bincount(most, minlength=kinds)
    return tuple(map(int, by_lesion.sum(0))), tuple(map(int, lesions))


def _sum(a: Table, b: Table) -> Table:
    return tuple(
        tuple(x + y for x, y in zip(*rows, strict=True)) for rows in zip(a, b, strict=True)
    )


def _share_right(table: Table) -> float | None:
    total = sum(map(sum, table))
    return sum(row[i] for i, row in enumerate(table)) / total if total else None


@dataclass(frozen=True)
class KindMetrics:
    """One patient: `joined` is of lesions of any kind, `kinds` of each by its name.

    >>> true, pred = np.zeros((2, 6, 6, 2), dtype=np.uint8)
    >>> true[1:3, 1:3], pred[1:3, 1:3] = 1, 2
    >>> found = evaluate_kinds(pred, true, ("infarct", "haemorrhage"), spacing_mm=(1, 1, 5))
    >>> found.joined.dice, found.kinds["infarct"].dice, found.confusion.lesions_right
    (1.0, 0.0, 0.0)
    """

    joined: CaseMetrics
    kinds: Mapping[str, CaseMetrics]
    confusion: KindConfusion

    @property
    def case(self) -> str:
        """The patient's name."""
        return self.joined.case

    def parts(self) -> dict[str, CaseMetrics]:
        """All joined first, then each kind, by the names that tables give them."""
        return {LESION: self.joined, **self.kinds}


def confusion_of(cases: Iterable[KindMetrics]) -> KindConfusion:
    """That of all patients; there must be one."""
    return reduce(add, (case.confusion for case in cases))


def evaluate_kinds(
    pred: ArrayLike,
    true: ArrayLike,
    kinds: Sequence[str],
    *,
    spacing_mm: Sequence[float] | None = None,
    affine: ArrayLike | None = None,
    prob: ArrayLike | None = None,
    within: ArrayLike | None = None,
) -> KindMetrics:
    """All metrics of predicted lesions of several kinds against the true ones, each and joined.

    `pred` and `true` are label maps (X, Y, Z), where the value k + 1 is `kinds[k]`, or masks
    (K, X, Y, Z), one a kind, which may overlap. `prob` (K, X, Y, Z) are the probabilities; those of
    any lesion are the largest. `within` (X, Y, Z) and the rest are as in `evaluate`. Raises
    `UsageError` for other shapes and for values that name no kind.

    >>> true = np.zeros((8, 8, 4), dtype=np.uint8)
    >>> true[1:4, 1:4], true[5:7, 5:7] = 1, 2
    >>> pred = true.copy()
    >>> pred[5, 5:7] = 1
    >>> found = evaluate_kinds(pred, true, ("infarct", "haemorrhage"), spacing_mm=(1, 1, 5))
    >>> found.joined.dice, round(found.kinds["haemorrhage"].dice, 2), found.confusion.voxels
    (1.0, 0.67, ((36, 8), (0, 8)))
    """
    if not kinds or LESION in kinds:
        raise UsageError(f"kinds: {tuple(kinds)}. Expected the name of each kind of lesion.")
    masks_pred, masks_true = _masks("pred", pred, kinds), _masks("true", true, kinds)
    maps = None if prob is None else np.asarray(prob)
    for name, array in (("true", masks_true), ("prob", maps)):
        if array is not None and array.shape != masks_pred.shape:
            raise UsageError(
                f"{name}: shape {array.shape}. Expected that of pred by kind, "
                f"{masks_pred.shape}: bring both to one grid."
            )
    where = None if within is None else np.asarray(within)
    if where is not None and where.shape != masks_pred.shape[1:]:
        raise UsageError(
            f"within: shape {where.shape}. Expected that of each kind, {masks_pred.shape[1:]}: "
            "bring it to the grid of the masks."
        )
    return evaluate_case_of_kinds(
        *("", kinds, masks_pred, masks_true),
        affine=grid_of(spacing_mm, affine),
        prob=maps,
        within=where,
    )


def evaluate_case_of_kinds(
    case: str,
    kinds: Sequence[str],
    masks_pred: NDArray[np.bool_],
    masks_true: NDArray[np.bool_],
    *,
    affine: NDArray[np.float64],
    prob: NDArray[Any] | None = None,
    within: NDArray[Any] | None = None,
    unit: Unit = Unit.MM,
) -> KindMetrics:
    """The same of masks and probabilities (K, X, Y, Z); `within` is (X, Y, Z)."""

    def scored(
        pred: NDArray[np.bool_], true: NDArray[np.bool_], p: NDArray[Any] | None
    ) -> CaseMetrics:
        return evaluate_case(
            case,
            mask_pred=pred,
            mask_true=true,
            affine=affine,
            prob=p,
            within=within,
            unit=unit,
        )

    each = {
        kind: scored(masks_pred[k], masks_true[k], None if prob is None else prob[k])
        for k, kind in enumerate(kinds)
    }
    any_prob = None if prob is None else prob.max(0)
    joined = scored(_any(masks_pred), _any(masks_true), any_prob)
    return KindMetrics(joined, each, KindConfusion.of(kinds, masks_pred, masks_true))


def _any(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a lesion of any kind is, (X, Y, Z)."""
    return np.asarray(masks.any(axis=0))


def _masks(name: str, values: ArrayLike, kinds: Sequence[str]) -> NDArray[np.bool_]:
    """A label map or masks as masks, (K, X, Y, Z)."""
    array = np.asarray(values)
    if array.ndim == 4 and len(array) == len(kinds):
        return array.astype(bool)
    if array.ndim != 3:
        raise UsageError(
            f"{name}: shape {array.shape}. Expected a label map (X, Y, Z), or masks "
            f"({len(kinds)}, X, Y, Z), one a kind."
        )
    other = sorted({*np.unique(array).tolist()} - {*range(len(kinds) + 1)})
    if other:
        told = ", ".join(f"{k} {kind}" for k, kind in enumerate(kinds, start=1))
        raise UsageError(
            f"{name}: holds the values {', '.join(map(str, other[:6]))}. Expected 0 and {told}."
        )
    return np.stack([array == k for k in range(1, len(kinds) + 1)])
