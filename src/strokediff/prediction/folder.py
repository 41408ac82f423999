"""Predictions in a folder, as `strokediff evaluate` reads them.

    OUT/METHOD/masks/NAME.nii.gz            lesion, 0 or 1
    OUT/METHOD/probabilities/NAME.nii.gz    probability of lesion, float32
    OUT/METHOD/predict.json                 what was run, and what each patient took
    OUT/truth/NAME.nii.gz                   the patient's own label, on the same grid
    OUT/truth/cohort.json                   whether its spacing is known
    OUT/brain/NAME.nii.gz                   the brain, 0 or 1, for `evaluate --within`

Of K > 1 kinds of lesion a mask holds k + 1 for kind k, as masks/cohort.json says, probabilities
have K channels, and the truth is a map of labels, with values of their own where kinds overlap, as
its cohort.json says.

A patient's record is written last, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from strokediff.cohort.masks import label_map, labels_of_map
from strokediff.cohort.store import Cohort
from strokediff.ct.nifti.images import save_like
from strokediff.errors import InputError, UsageError
from strokediff.prediction.head import Head, Heads, on_networks_grid
from strokediff.prediction.labels import several
from strokediff.prediction.prediction import Prediction, Predictor
from strokediff.util.files import write_json
from strokediff.util.jsonfile import read_json
from strokediff.version import __version__

RECORD = "predict.json"
BRAIN = "brain"


def predict_cohort(
    cohort: Cohort,
    names: Sequence[str],
    predictor: Predictor,
    methods: Sequence[str],
    out: Path,
    on_patient: Callable[[str], None] = lambda name: None,
    heads: Heads = on_networks_grid,
) -> None:
    """Predict the patients `names` into `out`; those that are there already are kept.

    `methods` are the names that the predictor gives; `heads` says on which grid patients are
    predicted. Raises `UsageError` if `out` holds the predictions of something else.
    """
    known = "known" if cohort.spacing_known else "unknown"
    described = {"description": cohort.origin.get("description", ""), "spacing": known}
    described |= {"labels": labels_of_map(cohort.kinds)} if several(cohort.kinds) else {}
    whose = cohort.fingerprint
    grids = "network" if heads is on_networks_grid else "own"
    records = {
        method: _Record(out / method, predictor.settings, whose, grids) for method in methods
    }
    write_json(out / "truth" / "cohort.json", described)
    if several(predictor.kinds):
        labels = {kind: k for k, kind in enumerate(predictor.kinds, start=1)}
        for method in methods:
            write_json(out / method / "masks" / "cohort.json", {"labels": labels})
    for name in names:
        done = all(name in record for record in records.values())
        whole = done and _file(out / BRAIN, name).is_file()  # older versions kept no brain
        head = None if whole else heads(cohort, name)
        if head is not None:
            _save(head, head.brain, out / BRAIN, "uint8")
        if head is not None and not done:
            _save(head, label_map(head.truth, len(cohort.kinds)), out / "truth", "uint8")
            for method, found in predictor(head).items():
                folder = out / method
                _save(head, found.labels, folder / "masks", "uint8")
                probs = found.probs if head.digits is None else found.probs.round(head.digits)
                _save(head, _channels_last(probs), folder / "probabilities", "float32")
                records[method].add(name, found)
        on_patient(name)


class Took(BaseModel):
    """What a patient took, as `_Record.add` writes it."""

    network_evaluations: int = Field(ge=0)
    evaluations_a_slice: float = Field(ge=0)
    seconds: float = Field(ge=0)


class _Record:
    """predict.json of one method."""

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], cohort: str, grids: str = "network"
    ) -> None:
        self.file = folder / RECORD
        self.content: dict[str, Any] = {
            "settings": dict(settings),
            "cohort": cohort,
            "version": __version__,
            **({"grids": grids} if grids != "network" else {}),
            "patients": {},
        }
        if self.file.is_file():
            kept = read_record(folder)
            same = ("settings", "cohort", "version", "grids")
            if any(kept.get(key) != self.content.get(key) for key in same):
                raise UsageError(
                    f"{folder}: holds predictions of another model, choice, cohort or version, or "
                    f"on other grids ({RECORD}). Choose another folder, or remove this one."
                )
            self.content["patients"] = kept["patients"]

    def __contains__(self, name: str) -> bool:
        return name in self.content["patients"]

    def add(self, name: str, found: Prediction) -> None:
        self.content["patients"][name] = {
            "network_evaluations": found.evaluations,
            "evaluations_a_slice": found.evaluations / max(1, found.slices),
            "seconds": round(found.seconds, 3),
        }
        write_json(self.file, self.content)


def read_record(folder: Path) -> dict[str, Any]:
    """predict.json of one method's folder; `UsageError` if it is none."""
    file = folder / RECORD
    remedy = "Remove the folder and predict again."
    try:
        content = read_json(file, "a record of predictions", remedy=remedy)
        TypeAdapter(dict[str, Took]).validate_python(content.get("patients"))
    except InputError as error:
        raise UsageError(f"{file}: not a record of predictions ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("patients", *first["loc"])))[:100]
        raise UsageError(
            f"{file}: not a record of predictions ({where}: {first['msg']}). {remedy}"
        ) from None
    return content


def _channels_last(probs: NDArray[Any]) -> NDArray[Any]:
    """(K, X, Y, Z) as (X, Y, Z, K), as files have them; (X, Y, Z) of one kind."""
    return probs[0] if len(probs) == 1 else np.moveaxis(probs, 0, -1)


def _save(head: Head, array: NDArray[Any], folder: Path, dtype: str) -> None:
    file = _file(folder, head.name)
    save_like(head.ct, array, file, dtype=dtype, description=f"strokediff {__version__}")


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.nii.gz"
