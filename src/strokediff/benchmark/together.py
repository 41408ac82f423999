"""Figures that exist only for patients together: correlations, rates of lesions.

They are asked for thousands of resamples, so that what a figure needs is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from strokediff.benchmark.scores import PatientScore
from strokediff.evaluation.summary import volume_correlation


@dataclass(frozen=True)
class Counted:
    """One seed's volumes (found, true), and lesions (true, detected, false), a scan each.

    `lesions_as` and `voxels_as` (scan, found kind, true kind) are there where kinds are told apart.
    """

    volumes: np.ndarray
    lesions: np.ndarray
    lesions_as: np.ndarray | None = None
    voxels_as: np.ndarray | None = None

    @classmethod
    def of(cls, patients: Sequence[PatientScore]) -> Counted:
        """Those of the scans, in their order."""
        metrics, found = [p.metrics for p in patients], [p.detection for p in patients]
        return cls(
            np.array([[m.volume_pred_ml, m.volume_true_ml] for m in metrics], float),
            np.array([[d.n_true, d.n_detected, d.n_false] for d in found]),
            *(
                None if any(own is None for own in tables) else np.array(tables)
                for tables in (
                    [p.lesions_as for p in patients],
                    [p.voxels_as for p in patients],
                )
            ),
        )


Together = Callable[[Counted, np.ndarray], float | None]
"""A figure that exists only for patients together, of the scans with these indices."""


def over_seeds(found: Sequence[Counted], statistic: Together) -> Callable[[np.ndarray], float]:
    """The mean over seeds."""

    def value(index: np.ndarray) -> float:
        own = [statistic(seed, index) for seed in found]
        there = [v for v in own if v is not None and not np.isnan(v)]
        return float(np.mean(there)) if there else float("nan")

    return value


def _vc(found: Counted, index: np.ndarray) -> float | None:
    pred, true = found.volumes[index].T
    return volume_correlation(pred.tolist(), true.tolist())[0]


def _vc_of_ranks(found: Counted, index: np.ndarray) -> float | None:
    """Spearman's rho: one large lesion weighs no more than any other."""
    pred, true = found.volumes[index].T
    return volume_correlation(ranks(pred).tolist(), ranks(true).tolist())[0]


def ranks(values: np.ndarray) -> np.ndarray:
    """1, 2, ... by size; what is equal shares the mean of its ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (count.cumsum() - (count - 1) / 2)[place]


def _sensitivity(found: Counted, index: np.ndarray) -> float | None:
    true, detected, _ = found.lesions[index].sum(0)
    return float(detected / true) if true else None


def _false_positives(found: Counted, index: np.ndarray) -> float | None:
    return float(found.lesions[index, 2].sum() / len(index))


TOGETHER: dict[str, Together] = {
    "vc": _vc,
    "vc_ranks": _vc_of_ranks,
    "sensitivity": _sensitivity,
    "false_positives": _false_positives,
}


def _right(tables: np.ndarray | None, index: np.ndarray) -> float | None:
    """The share on the diagonal, of the scans with these indices."""
    total = None if tables is None else tables[index].sum(0)
    return float(np.trace(total) / total.sum()) if total is not None and total.any() else None


KIND_RIGHT: dict[str, Together] = {
    "lesions_right": lambda found, index: _right(found.lesions_as, index),
    "voxels_right": lambda found, index: _right(found.voxels_as, index),
}
"""Where kinds of lesion are told apart: the shares of what was found that are of the right kind."""
