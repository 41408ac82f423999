"""A cohort in one record: means over patients, the volume correlation, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from strokediff.evaluation.metrics import METRICS, CaseMetrics
from strokediff.evaluation.unit import Unit
from strokediff.version import __version__

POLICY = (
    "Both masks empty: Dice, IoU, recall and precision 1, HD and HD95 0.",
    "One mask empty: Dice, IoU, recall and precision 0, HD and HD95 the diagonal of the image's "
    "box; counted in pred_empty and truth_empty.",
    "VDP against an empty truth does not exist: left out of the mean, counted in vdp_excluded.",
    "auc is that of the probabilities, auc_mask that of the mask, (recall + specificity) / 2. With "
    "a truth that is empty or fills the region neither exists, nor auc without probabilities: left "
    "out, counted in auc_mask_excluded and auc_excluded.",
    "HD95 is the larger of the two directed 95th percentiles between the masks' surfaces.",
    "sd is the sample standard deviation over patients; vc is Pearson's r of the two volumes.",
)

EVERYWHERE = "Both AUC are over all voxels of the image: the more air it has, the higher they are."
WITHIN = (
    "Both AUC are over the given region alone, and over all that is lesion, truly or found, "
    "wherever it lies."
)

UNITS = {
    Unit.MM: "Distances are in mm, volumes in mL.",
    Unit.PX: "Spacing is unknown: distances are in pixels of a slice, a step between slices being "
    "the nominal one in pixels; volumes are counts of voxels.",
}


@dataclass(frozen=True)
class Summary:
    """Statistics over patients; each of `mean`, `sd`, `median`, `n` is keyed by column.

    `vc` is `None` where it does not exist, and `vc_note` then says why. `counts` has n_cases,
    both_empty, pred_empty (of a lesion that is there), truth_empty (while a lesion was found),
    vdp_excluded, auc_excluded and auc_mask_excluded. `within` says that both AUC are over a region.

    >>> summary = evaluate_folders("masks", "scans/labels").summary
    >>> round(summary.mean["dice"], 1), summary.n["dice"], summary.counts["pred_empty"]
    (0.9, 4, 0)
    >>> round(summary.vc, 2), summary.unit.value
    (1.0, 'mm')
    """

    mean: dict[str, float | None]
    sd: dict[str, float | None]
    median: dict[str, float | None]
    n: dict[str, int]
    vc: float | None
    vc_note: str | None
    counts: dict[str, int]
    unit: Unit = Unit.MM
    within: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `metrics.json`, with the counts at the top level and the policy."""
        record = asdict(self)
        counts, unit = record.pop("counts"), record.pop("unit")
        policy = [*POLICY, WITHIN if self.within else EVERYWHERE, UNITS[unit]]
        return {"version": __version__, **counts, **record, "unit": unit.value, "policy": policy}


def summarize(cases: Sequence[CaseMetrics], within: bool = False) -> Summary:
    """Summarise one row per patient; raises `ValueError` if there is none, or units differ.

    `within` says that their AUC were taken over a region.

    >>> from strokediff.evaluation.metrics import evaluate
    >>> truth = np.zeros((8, 8, 2), dtype=bool)
    >>> truth[2:4, 2:4] = True
    >>> rows = [evaluate(found, truth, spacing_mm=(1, 1, 5)) for found in (truth, ~truth)]
    >>> found = summarize(rows)
    >>> found.mean["dice"], found.n["vdp"], found.vc_note
    (0.5, 2, 'all true volumes are equal, so a correlation does not exist')
    """
    if not cases:
        raise ValueError("a summary needs at least one patient")
    unit = unit_of(cases)
    columns = {unit.column(name): _present(cases, name) for name in METRICS}
    vc, vc_note = volume_correlation(
        [c.volume_pred_ml for c in cases], [c.volume_true_ml for c in cases]
    )
    return Summary(
        mean={k: float(np.mean(v)) if v else None for k, v in columns.items()},
        sd={k: float(np.std(v, ddof=1)) if len(v) > 1 else None for k, v in columns.items()},
        median={k: float(np.median(v)) if v else None for k, v in columns.items()},
        n={k: len(v) for k, v in columns.items()},
        vc=vc,
        vc_note=vc_note,
        counts=_counts(cases),
        unit=unit,
        within=within,
    )


def unit_of(cases: Sequence[CaseMetrics]) -> Unit:
    """The one unit of all rows; `ValueError` if they differ."""
    units = {case.unit for case in cases}
    if len(units) > 1:
        raise ValueError("rows in mm and rows in pixels have no common mean")
    return units.pop() if units else Unit.MM


def volume_correlation(
    volumes_pred_ml: Sequence[float], volumes_true_ml: Sequence[float]
) -> tuple[float | None, str | None]:
    """VC, Pearson's r of two lists of volumes, and why there is none where there is none."""
    if len(volumes_pred_ml) < 2:
        return None, "a correlation needs at least 2 patients"
    pred = np.asarray(volumes_pred_ml, dtype=np.float64)
    true = np.asarray(volumes_true_ml, dtype=np.float64)
    for name, volumes in (("predicted", pred), ("true", true)):
        if np.ptp(volumes) == 0:
            return None, f"all {name} volumes are equal, so a correlation does not exist"
    return float(np.clip(np.corrcoef(pred, true)[0, 1], -1.0, 1.0)), None


def _present(cases: Sequence[CaseMetrics], name: str) -> list[float]:
    """The values of one metric that exist."""
    return [value for c in cases if (value := getattr(c, name)) is not None]


def _counts(cases: Sequence[CaseMetrics]) -> dict[str, int]:
    """How many patients each rule of the policy touched."""
    return {
        "n_cases": len(cases),
        "both_empty": sum(c.pred_empty and c.truth_empty for c in cases),
        "pred_empty": sum(c.pred_empty and not c.truth_empty for c in cases),
        "truth_empty": sum(c.truth_empty and not c.pred_empty for c in cases),
        "vdp_excluded": sum(c.vdp is None for c in cases),
        "auc_excluded": sum(c.auc is None for c in cases),
        "auc_mask_excluded": sum(c.auc_mask is None for c in cases),
    }
