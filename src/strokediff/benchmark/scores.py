"""A row's figures, patient by patient, from the files that it predicted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from strokediff.data.files import write_json
from strokediff.data.masks import check_same_grid, read_mask, read_probability
from strokediff.errors import InputError
from strokediff.evaluation.calibration import brier, expected_calibration_error
from strokediff.evaluation.detection import Detection, detect
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.unit import Unit


@dataclass(frozen=True)
class PatientScore:
    """One patient of a row: the papers' metrics, lesions detected, calibration, and its cost."""

    metrics: CaseMetrics
    detection: Detection
    brier: float
    ece: float
    evaluations_a_slice: float
    seconds: float

    @classmethod
    def of(cls, content: dict[str, Any]) -> PatientScore:
        """Undo `asdict`."""
        metrics = content["metrics"]
        parts = {
            "metrics": CaseMetrics(**{**metrics, "unit": Unit(metrics["unit"])}),
            "detection": Detection(**content["detection"]),
        }
        return cls(**{**content, **parts})


@dataclass(frozen=True)
class RowScore:
    """One row and seed: what its training was, and every patient's score."""

    row: str
    seed: int
    training: dict[str, Any]
    patients: list[PatientScore]

    def write(self, file: Path) -> None:
        """Keep it as JSON."""
        write_json(file, asdict(self))

    @classmethod
    def read(cls, file: Path) -> RowScore:
        """Read what `write` kept; raises `InputError` if it is damaged."""
        try:
            content = json.loads(file.read_text())
            content["patients"] = [PatientScore.of(p) for p in content["patients"]]
            return cls(**content)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(
                f"{file}: damaged ({error}). Remove it; the next run scores this row again."
            ) from None


def score_patients(
    folder: Path, truth: Path, names: Sequence[str], took: dict[str, dict[str, Any]], unit: Unit
) -> list[PatientScore]:
    """The scores of the patients `names` predicted in `folder`; `took` is what each cost."""
    return [_score(folder, truth, name, took[name], unit) for name in names]


def _score(folder: Path, truth: Path, name: str, took: dict[str, Any], unit: Unit) -> PatientScore:
    true = read_mask(truth / f"{name}.nii.gz")
    pred = read_mask(folder / "masks" / f"{name}.nii.gz")
    prob = read_probability(folder / "probabilities" / f"{name}.nii.gz")
    for found in (pred, prob):
        check_same_grid(found, true)
    metrics = evaluate_case(
        name,
        mask_pred=pred.array,
        mask_true=true.array,
        affine=true.affine,
        prob=prob.array,
        unit=unit,
    )
    return PatientScore(
        metrics=metrics,
        detection=detect(mask_pred=pred.array, mask_true=true.array),
        brier=brier(prob=prob.array, mask_true=true.array),
        ece=expected_calibration_error(prob=prob.array, mask_true=true.array),
        evaluations_a_slice=float(took["evaluations_a_slice"]),
        seconds=float(took["seconds"]),
    )
