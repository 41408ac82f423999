"""From every patient's scores to a row: means with intervals, differences that are real, costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from strokediff.benchmark.scores import PatientScore, RowScore
from strokediff.benchmark.together import KIND_RIGHT, TOGETHER, Counted, over_seeds
from strokediff.errors import InputError
from strokediff.evaluation.bootstrap import Interval, bootstrap, scans_of
from strokediff.evaluation.kinds import KindConfusion
from strokediff.evaluation.significance import PairedTest, against
from strokediff.evaluation.unit import Unit

PAPERS = ("dice", "recall", "precision", "auc", "hd_mm", "hd95_mm", "iou", "vc", "vdp")
"""The columns of SADPM's Tables 1 and 2."""
AREAS = ("auc_mask", "auc_brain", "auc_mask_brain")
"""What "AUC" may mean beside that of the probabilities over the image."""
CALIBRATION = ("brier", "ece")
TESTED = ("dice", "vdp", "hd95_mm")
"""What is tested against the best of the others."""
LOWER_IS_BETTER = {"hd_mm", "hd95_mm", "vdp", "vdp_median", "brier", "ece", "false_positives"}


@dataclass(frozen=True)
class TableRow:
    """One row of the table. A scan's value is the mean over the seeds that have one.

    Times are those of the seeds on the first of `machines`. `differences` are from the reference
    (`is_reference`), by the seeds that both have; empty where they share none.
    """

    name: str
    title: str
    seeds: tuple[int, ...]
    unit: Unit
    figures: dict[str, Interval]
    missed: float
    empty_truth: int
    differences: dict[str, PairedTest]
    is_reference: bool
    costs: dict[str, float]
    machines: tuple[str, ...]
    confusion: KindConfusion | None = None
    """Of all seeds and patients, where kinds of lesion are told apart."""
    begun: tuple[str, ...] = ()
    """The models that its trainings went on from."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        own = asdict(self)
        absent = [name for name in ("confusion", "begun") if not own[name]]
        return {name: value for name, value in own.items() if name not in absent}


def rows_of_table(
    scores: Mapping[str, Sequence[RowScore]], titles: Mapping[str, str], peers: Sequence[str]
) -> list[TableRow]:
    """A row for each of `scores`; `peers` are the rows of others, the best of them the reference.

    The best is that with the highest mean Dice. Raises `InputError` if rows are of other patients,
    or of the same ones with other labels: then they do not compare.
    """
    check_patients(scores)
    single = [metric for metric in (*PAPERS, *AREAS, *CALIBRATION) if metric != "vc"]
    values = {
        name: {metric: values_of_scans(found, metric) for metric in single}
        for name, found in scores.items()
    }
    known = [name for name in peers if name in values]
    best = max(known, key=lambda name: _mean(values[name]["dice"]), default=None)
    differences = {} if best is None else _differences(scores, best)
    return [
        _row(
            name,
            titles[name],
            found,
            values[name],
            differences=differences.get(name, {}),
            is_reference=name == best,
        )
        for name, found in scores.items()
    ]


def _differences(
    scores: Mapping[str, Sequence[RowScore]], best: str
) -> dict[str, dict[str, PairedTest]]:
    """Every row's differences from `best`, by the seeds that both have.

    The mean of two trainings strays less than one training does, and is not set against it.
    """
    out: dict[str, dict[str, PairedTest]] = {}
    for metric in TESTED:
        pairs = {}
        for name, found in scores.items():
            shared = {own.seed for own in found} & {own.seed for own in scores[best]}
            if name != best and shared:
                own, others = (
                    [s for s in row if s.seed in shared] for row in (found, scores[best])
                )
                pairs[name] = (_metric(own, metric), _metric(others, metric))
        for name, difference in against(pairs).items():
            out.setdefault(name, {})[metric] = difference
    return out


def _metric(found: Sequence[RowScore], metric: str) -> list[float | None]:
    """A value a patient, the mean over seeds and over their scans."""
    values = values_of_scans(found, metric)
    own = scans_of(p.patient for p in found[0].patients).values()
    means = [_mean(values[index]) for index in own]
    return [None if np.isnan(v) else v for v in means]


def check_patients(scores: Mapping[str, Sequence[RowScore]]) -> None:
    """Every row and seed must be of the same patients, in one order, with the same true volumes.

    Raises `InputError` if not, or if a patient is there twice: patients are paired by their place.
    """
    every = [own for found in scores.values() for own in found]
    first = _truth(every[0]) if every else []
    doubled = sorted({case for case, _ in first if [c for c, _ in first].count(case) > 1})
    if doubled:
        raise InputError(
            f"scores of {every[0].row}, seed {every[0].seed}: {', '.join(doubled[:5])} is there "
            "twice. Expected every patient once: give each fold once."
        )
    for own in every:
        truth = _truth(own)
        same = [case for case, _ in truth] == [case for case, _ in first] and all(
            math.isclose(a, b, rel_tol=1e-4) for (_, a), (_, b) in zip(truth, first, strict=True)
        )
        if not same:
            raise InputError(
                f"scores of {own.row}, seed {own.seed}: of other patients, or in another order or "
                "with other labels, than "
                f"those of {every[0].row}, seed {every[0].seed}. Expected one cohort, prepared by "
                "one version. Remove the scores of one; the next run makes them again."
            )


def _truth(own: RowScore) -> list[tuple[str, float]]:
    return [(p.metrics.case, p.metrics.volume_true_ml) for p in own.patients]


def reference(rows: Sequence[TableRow]) -> TableRow | None:
    """The row that the others are tested against; None if there is none, or no other."""
    return next((row for row in rows if row.is_reference and len(rows) > 1), None)


def _row(
    name: str,
    title: str,
    found: Sequence[RowScore],
    values: dict[str, np.ndarray],
    *,
    differences: dict[str, PairedTest],
    is_reference: bool,
) -> TableRow:
    statistics = {metric: mean_of_scans(own) for metric, own in values.items()}
    statistics["vdp_median"] = _median_of(values["vdp"])
    counted = [Counted.of(seed.patients) for seed in found]
    for figure, statistic in {**TOGETHER, **(KIND_RIGHT if found[0].kinds else {})}.items():
        statistics[figure] = over_seeds(counted, statistic)
    own = [p.patient for p in found[0].patients]
    figures = {f: bootstrap(s, len(own), of_patient=own) for f, s in statistics.items()}
    patients = [p for seed in found for p in seed.patients]
    machines = [s.training["machine"] for s in found]
    machines += [name for s in found for name in s.training.get("elsewhere", ())]
    timed = [s for s in found if s.training["machine"] == machines[0]]
    return TableRow(
        name=name,
        title=title,
        seeds=tuple(seed.seed for seed in found),
        unit=found[0].patients[0].metrics.unit,
        figures=figures,
        missed=sum(p.metrics.pred_empty and not p.metrics.truth_empty for p in patients)
        / len(found),
        empty_truth=sum(p.metrics.truth_empty for p in found[0].patients),
        differences=differences,
        is_reference=is_reference,
        costs={
            "images": float(np.mean([s.training["images"] for s in found])),
            "parameters": float(found[0].training["parameters"]),
            "gmacs": float(found[0].training["gmacs"]),
            "train_seconds": float(np.mean([s.training["seconds"] for s in timed])),
            "seconds_a_head": float(np.nanmean([p.seconds for s in timed for p in s.patients])),
            "evaluations_a_slice": float(np.mean([p.evaluations_a_slice for p in patients])),
        },
        machines=tuple(dict.fromkeys(machines)),
        confusion=_confusion(found),
        begun=tuple(dict.fromkeys(s.training["from"] for s in found if "from" in s.training)),
    )


def _confusion(found: Sequence[RowScore]) -> KindConfusion | None:
    """That of all seeds and patients; None where no kinds are told apart."""
    parts = [
        KindConfusion(seed.kinds, p.voxels_as, p.lesions_as)
        for seed in found
        for p in seed.patients
        if p.voxels_as is not None and p.lesions_as is not None
    ]
    return reduce(add, parts) if parts else None


def values_of_scans(found: Sequence[RowScore], metric: str) -> np.ndarray:
    """The metric of every scan, the mean over seeds; NaN where no seed has one."""
    return _nanmean(np.array([[_value(p, metric) for p in s.patients] for s in found], float))


def _value(patient: PatientScore, metric: str) -> float:
    holder: Any = patient.metrics if hasattr(patient.metrics, metric) else patient
    value = getattr(holder, metric)
    return np.nan if value is None else float(value)


def _nanmean(table: np.ndarray) -> np.ndarray:
    """The mean over rows of what is there, without a warning where nothing is."""
    there = ~np.isnan(table)
    total = np.where(there, table, 0.0).sum(0)
    count = there.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def mean_of_scans(values: np.ndarray) -> Callable[[np.ndarray], float]:
    """The mean of the scans with given indices, as `bootstrap` asks for it; NaN are left out."""
    return lambda index: _mean(values[index])


def _median_of(values: np.ndarray) -> Callable[[np.ndarray], float]:
    def median(index: np.ndarray) -> float:
        there = values[index][~np.isnan(values[index])]
        return float(np.median(there)) if len(there) else float("nan")

    return median
