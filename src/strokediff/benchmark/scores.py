"""A row's figures, patient by patient, from the files that it predicted.

On disk a row and seed is one small JSON file, a list a column (six significant digits), so that it
can be published and read as a table: `pandas.DataFrame(content["patients"])`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from strokediff.ct.nifti.masks import check_same_grid, read_mask, read_probability
from strokediff.errors import InputError
from strokediff.evaluation.calibration import brier, expected_calibration_error
from strokediff.evaluation.detection import Detection, detect
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.unit import Unit
from strokediff.util.files import write_text
from strokediff.util.jsonfile import read_json


@dataclass(frozen=True)
class PatientScore:
    """One scan of a row: the papers' metrics, lesions detected, calibration, and its cost.

    `patient` is whose it is: some were scanned more than once.
    """

    metrics: CaseMetrics
    detection: Detection
    brier: float
    ece: float
    evaluations_a_slice: float
    seconds: float
    patient: str

    def flat(self) -> dict[str, Any]:
        """Every figure by its name, in one dictionary."""
        own = asdict(self)
        return {**own.pop("metrics"), **own.pop("detection"), **own}

    @classmethod
    def of(cls, values: dict[str, Any]) -> PatientScore:
        """Undo `flat`; raises `KeyError` or `TypeError` if a figure is missing.

        Without "patient" the scan is its patient's only one.
        """

        def part(kind: type[Any]) -> dict[str, Any]:
            return {
                field.name: values[field.name] for field in fields(kind) if field.name in values
            }

        metrics = CaseMetrics.of(part(CaseMetrics))
        own = {"patient": metrics.case, **part(cls)}
        return cls(metrics=metrics, detection=Detection(**part(Detection)), **own)


class _Training(BaseModel):
    """What a training was; the table is made of these."""

    model_config = ConfigDict(extra="allow")

    seconds: float = Field(ge=0)
    images: int = Field(ge=0)
    machine: str
    parameters: float = Field(ge=0)
    gmacs: float = Field(ge=0)


class _Content(BaseModel):
    """A file of scores."""

    model_config = ConfigDict(extra="forbid")

    row: str
    seed: int
    training: _Training
    patients: dict[str, list[Any]] = Field(min_length=1)


@dataclass(frozen=True)
class RowScore:
    """One row and seed: what its training was and on which machine, and every patient's score."""

    row: str
    seed: int
    training: dict[str, Any]
    patients: list[PatientScore]

    def write(self, file: Path) -> None:
        """Keep it as JSON, a line a column."""
        table = [patient.flat() for patient in self.patients]
        columns = {key: [_short(line[key]) for line in table] for key in table[0]}
        lines = ",\n".join(f'  "{key}": {_compact(column)}' for key, column in columns.items())
        head = {"row": self.row, "seed": self.seed, "training": self.training}
        text = f'{_compact(head)[:-1]}, "patients": {{\n{lines}\n}}}}\n'
        write_text(file, text)

    @classmethod
    def read(cls, file: Path) -> RowScore:
        """Read what `write` kept; raises `InputError` if it is damaged."""
        try:
            raw = read_json(file, "a row's scores")
            content = _Content.model_validate(raw)
            columns = content.patients
            lines = zip(*columns.values(), strict=True)
            patients = [PatientScore.of(dict(zip(columns, line, strict=True))) for line in lines]
            return cls(content.row, content.seed, raw["training"], _known(patients))
        except (InputError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{file}: damaged ({_first(error)}). Remove it; the next run scores this row again."
            ) from None


RowScores = Mapping[str, Sequence[RowScore]]
"""Row -> its seeds."""


def score_patients(
    folder: Path,
    truth: Path,
    patient_of: Mapping[str, str],
    took: Mapping[str, Mapping[str, Any]],
    unit: Unit,
) -> list[PatientScore]:
    """The scores of scans predicted in `folder`, and whose they are; `took` is what each cost."""
    return [_score(folder, truth, *scan, took[scan[0]], unit) for scan in patient_of.items()]


def _known(patients: list[PatientScore]) -> list[PatientScore]:
    """One patient or more; `ValueError` if a figure is not of its kind."""
    if not patients:
        raise ValueError("no patients")
    return TypeAdapter(list[PatientScore]).validate_python([asdict(p) for p in patients])


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        own = error.errors()[0]
        return f"{'.'.join(map(str, own['loc']))[:100]}: {own['msg']}"
    return str(error)


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _score(
    folder: Path, truth: Path, name: str, patient: str, took: Mapping[str, Any], unit: Unit
) -> PatientScore:
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
        patient=patient,
    )
