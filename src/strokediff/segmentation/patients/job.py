"""What is to be done to every case of a call, and what came of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from strokediff.ct.dicom.headers import walk_files
from strokediff.ct.discovery.cases import Case
from strokediff.errors import StrokediffError
from strokediff.inference.estimation import Estimation
from strokediff.result.record import Record
from strokediff.segmentation.model import Model
from strokediff.version import __version__


@dataclass(frozen=True)
class Job:
    """What all cases of a call share. With `redo`, what is there already is done again.

    `dicom` names the objects for the PACS that are wanted.
    """

    model: Model
    estimation: Estimation
    seed: int = 0
    series: str | None = None
    pictures: bool = True
    viewer: bool | None = None
    uncertainty: bool = False
    dicom: tuple[str, ...] = ()
    redo: bool = False

    def fingerprint(self) -> str:
        """A digest of all but the input that a result depends on: its files and their content.

        The number of threads is not among it: masks are equal over them.
        """
        model, estimation = self.model, self.estimation
        calibrations = model.calibrations.get(estimation.key, {})
        facts = {
            "model": model.card.model_dump(),
            "decisions": [one.model_dump() for one in model.decisions(estimation)],
            "calibrations": {kind: one.model_dump() for kind, one in calibrations.items()},
            "population": model.population.model_dump() if model.population else None,
            "compute": str(replace(model.compute, threads=None)),
            "estimation": str(estimation),
            "seed": self.seed,
            "series": self.series,
            "pictures": self.pictures,
            "viewer": self.viewer,
            "uncertainty": self.uncertainty,
            "dicom": self.dicom,
            "version": __version__,
        }
        text = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """One case: its result.json, or why there is none.

    `kept`: the result was there already, of the same input and the same choices.

    >>> model, how = load("phantom-stroke", device="cpu"), Estimation("avg")
    >>> (outcome,) = segment_folder("scan.nii.gz", "result", model, how, pictures=False)
    >>> outcome.case, outcome.error, outcome.kept, outcome.record.n_lesions
    ('scan', '', True, 1)
    """

    case: str
    record: Record | None
    exception: StrokediffError | None = None
    kept: bool = False

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        return str(self.exception) if self.exception else ""


def input_digest(case: Case) -> str:
    """A digest of all bytes of the case's files, and of the names by which results know the case.

    Raises `OSError` if one cannot be read.
    """
    text = "\n".join([case.name, case.shown_path, case.original, *sorted(_digests(case))])
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _digests(case: Case) -> Iterator[str]:
    if case.archive is not None:  # the archive's bytes, and which of its members
        yield from (str(f.relative_to(case.archive)) for f in case.files or (case.path,))
    for path in [case.archive] if case.archive else _files(case):
        with path.open("rb") as stream:
            yield hashlib.file_digest(stream, "blake2b").hexdigest()


def _files(case: Case) -> list[Path]:
    if case.files:
        return list(case.files)
    return list(walk_files(case.path)) if case.path.is_dir() else [case.path]
