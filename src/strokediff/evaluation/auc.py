"""The area under the ROC curve: of probabilities, of a mask, and over which voxels.

Two figures go by that name. With p the probability of lesion, and recall and specificity those of
the mask,

    AUC of the probabilities = P(p_lesion > p_other) + P(p_lesion = p_other) / 2
    AUC of the mask          = (recall + specificity) / 2

A mask has one cut and its curve one corner, so the second is the first of the mask itself. Papers
that print "AUC" beside Dice may mean either: where it is about (1 + recall) / 2, it is the mask's.

Both rise with the voxels that nobody would mark. A mask with n other voxels, FP of them marked, has
FP/2 (1/n - 1/(n + a)) more with a voxels of air beside them. So they are compared over one region:
`within`, and whatever is lesion, truly or found, wherever it lies, so that no error is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def area_under_roc(*, prob: NDArray[Any], mask_true: NDArray[np.bool_]) -> float | None:
    """Mann-Whitney's AUC over all voxels: the chance that a lesion voxel outranks another one.

    Ties count half. `None` if the truth is empty or full.
    """
    positives, negatives = np.sort(prob[mask_true]), prob[~mask_true]
    if positives.size == 0 or negatives.size == 0:
        return None
    # Most voxels share one value (0, outside the brain), so rank each value only once.
    values, counts = np.unique(negatives, return_counts=True)
    below = np.searchsorted(positives, values, side="left")
    not_above = np.searchsorted(positives, values, side="right")
    lost = float(counts @ ((below + not_above) / 2.0))
    return 1.0 - lost / (float(positives.size) * float(negatives.size))


def area_of_mask(*, tp: int, fp: int, fn: int, voxels: int) -> float | None:
    """(recall + specificity) / 2 of counts among `voxels`; `None` if the truth is empty or full.

    >>> area_of_mask(tp=6, fp=2, fn=4, voxels=110)
    0.79
    """
    lesion, other = tp + fn, voxels - tp - fn
    if lesion == 0 or other == 0:
        return None
    return (tp / lesion + 1.0 - fp / other) / 2.0


def areas(
    *,
    mask_pred: NDArray[np.bool_],
    mask_true: NDArray[np.bool_],
    prob: NDArray[Any] | None = None,
    within: NDArray[Any] | None = None,
) -> tuple[float | None, float | None]:
    """The AUC of the probabilities and that of the mask, of arrays of one shape.

    Over all voxels, or over `within` and all lesions, true and found. The first is `None` without
    `prob`.
    """
    both, lesion = mask_pred & mask_true, int(np.count_nonzero(mask_true))
    tp, found = int(np.count_nonzero(both)), int(np.count_nonzero(mask_pred))
    where = None if within is None else within.astype(bool) | mask_pred | mask_true
    voxels = mask_true.size if where is None else int(np.count_nonzero(where))
    of_mask = area_of_mask(tp=tp, fp=found - tp, fn=lesion - tp, voxels=voxels)
    if prob is None:
        return None, of_mask
    if where is None:
        return area_under_roc(prob=prob, mask_true=mask_true), of_mask
    return area_under_roc(prob=prob[where], mask_true=mask_true[where]), of_mask
