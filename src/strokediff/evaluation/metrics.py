"""How well a predicted lesion mask agrees with the true one, for one patient in 3D.

With the confusion counts TP, FP and FN over all voxels of the image, |.| a volume in mL:

    Dice = 2 TP / (2 TP + FP + FN)      IoU = TP / (TP + FP + FN)
    recall = TP / (TP + FN)             precision = TP / (TP + FP)
    VDP = |V_pred - V_true| / V_true

The two AUC are defined in `strokediff.evaluation.auc`, HD and HD95 in
`strokediff.evaluation.surface`.

The policy for empty masks, so that a missed lesion can never improve a mean by vanishing:

| prediction | truth | Dice, IoU, recall, precision | HD, HD95 | VDP |
| --- | --- | --- | --- | --- |
| empty | empty | 1 | 0 | none |
| empty | lesion | 0 | diagonal of the image's box | 1 |
| lesion | empty | 0 | diagonal of the image's box | none |

Both AUC are over all voxels of the image, or where `within` says, and none where the truth is empty
or fills that region; that of the probabilities also where none were given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strokediff.errors import UsageError
from strokediff.evaluation.auc import areas
from strokediff.evaluation.surface import box_diagonal_mm, surface_distances
from strokediff.evaluation.unit import Unit

METRICS = (
    "dice",
    "iou",
    "recall",
    "precision",
    "auc",
    "hd_mm",
    "hd95_mm",
    "volume_pred_ml",
    "volume_true_ml",
    "vdp",
    "auc_mask",
)
"""The columns of the table, in order, after `case`; new ones come last."""


@dataclass(frozen=True)
class CaseMetrics:
    """One patient's row; `None` where a value does not exist (see the policy above).

    `auc` is that of the probabilities, `auc_mask` that of the mask, (recall + specificity) / 2.
    `hd_mm` and `hd95_mm` are distances in mm, `volume_pred_ml` and `volume_true_ml` volumes in mL,
    all others are shares, of which 1 is best, and of `vdp` 0. Where `unit` is PX (spacing unknown)
    distances are pixels and volumes counts of voxels; tables name them so (`Unit.column`).

    >>> nothing = np.zeros((4, 4, 2), dtype=bool)
    >>> found = evaluate(nothing, nothing, spacing_mm=(1, 1, 5))
    >>> found.dice, found.hd_mm, found.vdp, found.truth_empty
    (1.0, 0.0, None, True)
    """

    case: str
    dice: float
    iou: float
    recall: float
    precision: float
    auc: float | None
    hd_mm: float
    hd95_mm: float
    volume_pred_ml: float
    volume_true_ml: float
    vdp: float | None
    unit: Unit = Unit.MM
    auc_mask: float | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> CaseMetrics:
        """From plain values, as JSON holds them; those of version 0.1.0 have no `auc_mask`."""
        return cls(**{**values, "unit": Unit(values["unit"])})

    @property
    def pred_empty(self) -> bool:
        """Whether the predicted mask has no voxel."""
        return self.volume_pred_ml == 0

    @property
    def truth_empty(self) -> bool:
        """Whether the true mask has no voxel."""
        return self.volume_true_ml == 0


@dataclass(frozen=True)
class Confusion:
    """Counts of voxels: true positives, false positives, false negatives.

    >>> counts = Confusion(tp=6, fp=2, fn=4)
    >>> round(counts.dice, 3), counts.vdp
    (0.667, 0.2)
    """

    tp: int
    fp: int
    fn: int

    @classmethod
    def of(cls, mask_pred: NDArray[np.bool_], mask_true: NDArray[np.bool_]) -> Confusion:
        """Count the voxels of two masks of one shape."""
        tp = int(np.count_nonzero(mask_pred & mask_true))
        n_pred, n_true = int(np.count_nonzero(mask_pred)), int(np.count_nonzero(mask_true))
        return cls(tp=tp, fp=n_pred - tp, fn=n_true - tp)

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return self._share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN)."""
        return self._share(self.tp, self.tp + self.fp + self.fn)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return self._share(self.tp, self.tp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return self._share(self.tp, self.tp + self.fp)

    @property
    def vdp(self) -> float | None:
        """|FP - FN| / (TP + FN), the VDP of masks whose voxels are of one size."""
        return volume_difference(volume_pred_ml=self.tp + self.fp, volume_true_ml=self.tp + self.fn)

    def _share(self, part: int, whole: int) -> float:
        """part / whole; 0 / 0 is 1 where nothing is wrong and 0 where something is."""
        if whole:
            return part / whole
        return 0.0 if self.fp or self.fn else 1.0


def evaluate(
    mask_pred: ArrayLike,
    mask_true: ArrayLike,
    *,
    spacing_mm: Sequence[float] | None = None,
    affine: ArrayLike | None = None,
    prob: ArrayLike | None = None,
    within: ArrayLike | None = None,
) -> CaseMetrics:
    """All metrics of a predicted lesion mask against the true one, in 3D.

    The masks are (X, Y, Z) on one grid and not 0 in the lesion. The grid is told by `spacing_mm`,
    the voxel's size along the three axes, or by `affine` (4, 4), which takes indices to mm and may
    be oblique or sheared; give one of the two. `prob` (X, Y, Z) is the probability of lesion, which
    `auc` needs. `within` (X, Y, Z) is where both AUC are taken, the brain say, for air makes them
    high; lesions, true and found, count wherever they lie. Formulas and what holds for empty masks
    are at the top of this module.

    Raises `UsageError` for masks that are not 3D, for shapes that differ, and unless exactly one of
    `spacing_mm` and `affine` is given.

    >>> import numpy as np
    >>> true, pred = np.zeros((2, 10, 10, 4), dtype=bool)
    >>> true[2:6, 2:6, 1:3] = True
    >>> pred[3:7, 2:6, 1:3] = True
    >>> found = evaluate(pred, true, spacing_mm=(0.5, 0.5, 5.0))
    >>> found.dice, found.hd_mm, found.volume_true_ml
    (0.75, 0.5, 0.04)
    """
    arrays: dict[str, NDArray[Any]] = {
        "mask_pred": np.asarray(mask_pred),
        "mask_true": np.asarray(mask_true),
        **({} if prob is None else {"prob": np.asarray(prob)}),
        **({} if within is None else {"within": np.asarray(within)}),
    }
    for name, array in arrays.items():
        if array.ndim != 3:
            raise UsageError(
                f"{name}: shape {array.shape}. Expected (X, Y, Z); a single slice is "
                f"{name}[:, :, None], and of many patients each is evaluated alone."
            )
        if array.shape != arrays["mask_pred"].shape:
            raise UsageError(
                f"{name}: shape {array.shape}. Expected that of mask_pred, "
                f"{arrays['mask_pred'].shape}: bring both to one grid."
            )
    return evaluate_case(
        "",
        mask_pred=arrays["mask_pred"],
        mask_true=arrays["mask_true"],
        affine=grid_of(spacing_mm, affine),
        prob=arrays.get("prob"),
        within=arrays.get("within"),
    )


def grid_of(spacing_mm: Sequence[float] | None, affine: ArrayLike | None) -> NDArray[np.float64]:
    """The affine (4, 4) of a spacing, or the one that was given."""
    if (spacing_mm is None) == (affine is None):
        given = "neither" if affine is None else "both"
        raise UsageError(
            f"evaluate: expected spacing_mm or affine, got {given}. Give the voxel's size in mm, "
            "e.g. spacing_mm=(0.5, 0.5, 5.0), or the affine that takes indices to mm."
        )
    if spacing_mm is not None:
        sides = np.asarray(spacing_mm, dtype=np.float64)
        if sides.shape != (3,) or not (np.isfinite(sides).all() and (sides > 0).all()):
            raise UsageError(
                f"spacing_mm: {spacing_mm!r}. Expected three sizes above 0, along x, y and z."
            )
        return np.diag([*sides, 1.0])
    grid = np.asarray(affine, dtype=np.float64)
    if grid.shape != (4, 4) or not np.isfinite(grid).all() or np.linalg.det(grid[:3, :3]) == 0:
        raise UsageError(
            f"affine: shape {grid.shape}. Expected (4, 4), finite, of three independent axes."
        )
    return grid


def evaluate_case(
    case: str,
    *,
    mask_pred: NDArray[Any],
    mask_true: NDArray[Any],
    affine: NDArray[np.float64],
    prob: NDArray[Any] | None = None,
    within: NDArray[Any] | None = None,
    unit: Unit = Unit.MM,
) -> CaseMetrics:
    """All metrics of one patient.

    `mask_pred`, `mask_true`, `prob` and `within` are (X, Y, Z) on one grid, the masks zero outside
    the lesion, `prob` the probability of lesion, `within` where both AUC are taken; `affine` (4, 4)
    takes indices to mm. For a plain spacing, give `np.diag([*spacing_mm, 1])`. In `Unit.PX` only
    its proportions count. Raises `ValueError` on shapes that differ.
    """
    for name, array in (("mask_true", mask_true), ("prob", prob), ("within", within)):
        if array is not None and array.shape != mask_pred.shape:
            raise ValueError(f"expected {name} of shape {mask_pred.shape}, got {array.shape}")
    pred, true = mask_pred.astype(bool, copy=False), mask_true.astype(bool, copy=False)
    counts = Confusion.of(pred, true)
    hd_mm, hd95_mm = hausdorff_mm(mask_pred=pred, mask_true=true, affine=unit.scaled(affine))
    volume_pred_ml = unit.volume(counts.tp + counts.fp, affine)
    volume_true_ml = unit.volume(counts.tp + counts.fn, affine)
    auc, auc_mask = areas(mask_pred=pred, mask_true=true, prob=prob, within=within)
    return CaseMetrics(
        case=case,
        dice=counts.dice,
        iou=counts.iou,
        recall=counts.recall,
        precision=counts.precision,
        auc=auc,
        hd_mm=hd_mm,
        hd95_mm=hd95_mm,
        volume_pred_ml=volume_pred_ml,
        volume_true_ml=volume_true_ml,
        vdp=volume_difference(volume_pred_ml=volume_pred_ml, volume_true_ml=volume_true_ml),
        unit=unit,
        auc_mask=auc_mask,
    )


def hausdorff_mm(
    *, mask_pred: NDArray[np.bool_], mask_true: NDArray[np.bool_], affine: NDArray[np.float64]
) -> tuple[float, float]:
    """(HD, HD95) in mm; (0, 0) if both masks are empty, the box's diagonal twice if one is."""
    any_pred, any_true = bool(mask_pred.any()), bool(mask_true.any())
    if not any_pred and not any_true:
        return 0.0, 0.0
    if any_pred != any_true:
        diagonal = box_diagonal_mm(mask_pred.shape, affine)
        return diagonal, diagonal
    distances = surface_distances(mask_pred=mask_pred, mask_true=mask_true, affine=affine)
    return distances.hausdorff_mm(), distances.hausdorff_mm(95.0)


def volume_difference(*, volume_pred_ml: float, volume_true_ml: float) -> float | None:
    """VDP = |V_pred - V_true| / V_true; `None` against an empty truth."""
    if volume_true_ml == 0:
        return None
    return abs(volume_pred_ml - volume_true_ml) / volume_true_ml
