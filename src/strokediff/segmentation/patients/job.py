"""What is to be done to every case of a call, and what came of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strokediff import __version__
from strokediff.ct.dicom.headers import walk_files
from strokediff.ct.discovery.cases import Case
from strokediff.errors import StrokediffError
from strokediff.inference.presets import Choice
from strokediff.segmentation.model import Model

FINGERPRINT = "fingerprint"
"""Key of result.json: digests of all that the result depends on, {"run": ..., "input": ...}."""


@dataclass(frozen=True)
class Job:
    """What all cases of a call share. With `redo`, what is there already is done again."""

    model: Model
    choice: Choice
    seed: int = 0
    threads: int | None = None
    series: str | None = None
    pictures: bool = True
    precision: str = "auto"
    uncertainty: bool = False
    redo: bool = False

    def fingerprint(self) -> str:
        """A digest of all but the input that a result depends on: its files and their content.

        The number of threads is not among it: masks are equal over them.
        """
        model = self.model
        calibration = model.calibrations.get(self.choice.key)
        facts = {
            "model": model.card,
            "decision": model.decision(self.choice).model_dump(),
            "calibration": calibration.model_dump() if calibration else None,
            "compiled": model.compiled,
            "device": str(model.device),
            "choice": str(self.choice),
            "seed": self.seed,
            "series": self.series,
            "pictures": self.pictures,
            "precision": self.precision,
            "uncertainty": self.uncertainty,
            "version": __version__,
        }
        text = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """One case: its result.json, or why there is none.

    `kept`: the result was there already, of the same input and the same choices.
    """

    case: str
    report: Mapping[str, Any]
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
