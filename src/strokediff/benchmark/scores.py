"""A row's figures, patient by patient, from the files that it predicted.

On disk a row and seed is one small JSON file, a list a column (six significant digits), so that it
can be published and read as a table: `pandas.DataFrame(content["patients"])`. Where kinds of lesion
are told apart that is of all joined, and every kind has a file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from strokediff.ct.nifti.masks import check_same_grid, read_mask
from strokediff.errors import InputError
from strokediff.evaluation.auc import areas
from strokediff.evaluation.calibration import brier, expected_calibration_error
from strokediff.evaluation.detection import Detection, detect
from strokediff.evaluation.kinds import KindConfusion, Table
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.unit import Unit
from strokediff.prediction.folder import BRAIN
from strokediff.prediction.labels import KindsReader, several
from strokediff.util.files import write_text
from strokediff.util.jsonfile import read_json
from strokediff.util.kinds import LESION


@dataclass(frozen=True)
class PatientScore:
    """One scan of a row: the papers' metrics, lesions detected, calibration, and its cost.

    `patient` is whose it is: some were scanned more than once. `voxels_as` and `lesions_as` are
    `KindConfusion`'s, where kinds are told apart and this is of all joined. `auc_brain` and
    `auc_mask_brain` are both AUC over the brain, where those of `metrics` are over the image; None
    where the brain was not kept, as in scores of version 0.1.0.
    """

    metrics: CaseMetrics
    detection: Detection
    brier: float
    ece: float
    evaluations_a_slice: float
    seconds: float
    patient: str
    voxels_as: Table | None = None
    lesions_as: Table | None = None
    auc_brain: float | None = None
    auc_mask_brain: float | None = None

    def flat(self) -> dict[str, Any]:
        """Every figure by its name, in one dictionary."""
        own = asdict(self)
        if self.voxels_as is None:
            del own["voxels_as"], own["lesions_as"]
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
    kinds: list[str] = []
    training: _Training
    patients: dict[str, list[Any]] = Field(min_length=1)


@dataclass(frozen=True)
class RowScore:
    """One row and seed: what its training was and on which machine, and every patient's score.

    `kinds` are those of lesion that are told apart, in the order of `PatientScore.voxels_as`; none
    where they are not, and in the scores of one kind.
    """

    row: str
    seed: int
    training: dict[str, Any]
    patients: list[PatientScore]
    kinds: tuple[str, ...] = ()

    def write(self, file: Path) -> None:
        """Keep it as JSON, a line a column."""
        table = [patient.flat() for patient in self.patients]
        columns = {key: [_short(line[key]) for line in table] for key in table[0]}
        lines = ",\n".join(f'  "{key}": {_compact(column)}' for key, column in columns.items())
        head = {"row": self.row, "seed": self.seed, "training": self.training}
        head |= {"kinds": list(self.kinds)} if self.kinds else {}
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
            kinds = tuple(content.kinds)
            return cls(content.row, content.seed, raw["training"], _known(patients), kinds)
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
) -> dict[str, list[PatientScore]]:
    """The scores of scans predicted in `folder`, and whose they are; `took` is what each cost.

    By kind of lesion where several are told apart, and of all joined as `LESION`. The brains are
    beside the folder `truth`, if they were kept.
    """
    reader = KindsReader.of(truth, [folder / "masks" / f"{name}.nii.gz" for name in patient_of])
    found: dict[str, list[PatientScore]] = {}
    for name, patient in patient_of.items():
        scan = _Scan.read(folder, truth, name, reader)
        for kind, score in scan.scores(patient, took[name], unit).items():
            found.setdefault(kind, []).append(score)
    return found


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


@dataclass(frozen=True)
class _Scan:
    """One scan's masks and probabilities (K, X, Y, Z) of `kinds`, found and true; its brain."""

    name: str
    kinds: tuple[str, ...]
    pred: NDArray[np.bool_]
    true: NDArray[np.bool_]
    prob: NDArray[np.float32]
    affine: NDArray[np.float64]
    brain: NDArray[np.bool_] | None = None

    @classmethod
    def read(cls, folder: Path, truth: Path, name: str, reader: KindsReader) -> _Scan:
        mask = folder / "masks" / f"{name}.nii.gz"
        true_file, true = reader.truth(truth / f"{name}.nii.gz")
        pred_file, pred = reader.prediction(mask)
        prob_file, prob = reader.probabilities(folder / "probabilities" / f"{name}.nii.gz", mask)
        kept = truth.parent / BRAIN / f"{name}.nii.gz"
        brain = read_mask(kept) if kept.is_file() else None
        for found in (pred_file, prob_file, *([brain] if brain else [])):
            check_same_grid(found, true_file)
        inside = brain.array if brain else None
        return cls(name, reader.kinds, pred, true, prob, true_file.affine, inside)

    def scores(self, patient: str, took: Mapping[str, Any], unit: Unit) -> dict[str, PatientScore]:
        """Of all kinds joined, and of each where there are several."""

        def score(
            pred: NDArray[np.bool_], true: NDArray[np.bool_], prob: NDArray[np.float32]
        ) -> PatientScore:
            auc_brain, auc_mask_brain = self._over_brain(pred, true, prob)
            return PatientScore(
                metrics=evaluate_case(
                    self.name,
                    mask_pred=pred,
                    mask_true=true,
                    affine=self.affine,
                    prob=prob,
                    unit=unit,
                ),
                detection=detect(mask_pred=pred, mask_true=true),
                brier=brier(prob=prob, mask_true=true),
                ece=expected_calibration_error(prob=prob, mask_true=true),
                evaluations_a_slice=float(took["evaluations_a_slice"]),
                seconds=float(took["seconds"]),
                patient=patient,
                auc_brain=auc_brain,
                auc_mask_brain=auc_mask_brain,
            )

        any_pred, any_true = (np.asarray(masks.any(axis=0)) for masks in (self.pred, self.true))
        joined = score(any_pred, any_true, self.prob.max(axis=0))
        if not several(self.kinds):
            return {LESION: joined}
        as_kinds = KindConfusion.of(self.kinds, self.pred, self.true)
        joined = replace(joined, voxels_as=as_kinds.voxels, lesions_as=as_kinds.lesions)
        each = zip(self.kinds, self.pred, self.true, self.prob, strict=True)
        return {LESION: joined, **{kind: score(*arrays) for kind, *arrays in each}}

    def _over_brain(
        self, pred: NDArray[np.bool_], true: NDArray[np.bool_], prob: NDArray[np.float32]
    ) -> tuple[float | None, float | None]:
        """Both AUC over the brain; None where it was not kept."""
        if self.brain is None:
            return None, None
        return areas(mask_pred=pred, mask_true=true, prob=prob, within=self.brain)
