"""What a model answers on labelled scans, at every decision: enough to choose by, and a small file.

A sheet of answers may be of one model and its validation patients, or of the models of several
folds, each asked on the patients that it was not trained on: what is chosen from all of them
together is for a model that was trained on all.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from strokediff.errors import InputError
from strokediff.segmentation.calibrate.decisions import LEAST_ML, THRESHOLDS, Scores, scored
from strokediff.util.files import write_json
from strokediff.util.jsonfile import read_json
from strokediff.util.kinds import Kinds

FORMAT = "strokediff answers 1"
WHAT = "a sheet of answers, as 'strokediff calibrate --answers' writes it"

Figure = Field(ge=0, allow_inf_nan=False, le=1e7)


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfKind(_Frozen):
    """One kind of lesion of one scan: Dice and volume at every threshold and least volume."""

    dice: tuple[tuple[float, ...], ...]
    volume_ml: tuple[tuple[float, ...], ...]
    doubt_ml: float = Figure
    true_ml: float = Figure

    @model_validator(mode="after")
    def _of_every_decision(self) -> OfKind:
        wanted = (len(THRESHOLDS), len(LEAST_ML))
        for values in (self.dice, self.volume_ml):
            if (len(values), *{len(row) for row in values}) != wanted:
                raise ValueError(f"expected {wanted[0]} x {wanted[1]} values, one a decision")
            if not (np.isfinite(values).all() and np.min(values) >= 0):
                raise ValueError("expected numbers of 0 or more")
        return self

    @property
    def scores(self) -> Scores:
        """What the decision is chosen by."""
        return scored(np.array(self.dice), np.array(self.volume_ml), self.true_ml)


class OfMethod(_Frozen):
    """One estimation of one scan: each kind of lesion, and doubt and true volume of all joined."""

    kinds: dict[str, OfKind]
    doubt_ml: float = Figure
    true_ml: float = Figure


class Answer(_Frozen):
    """One scan: whose it is, its group (folder), and what each estimation found, by its key.

    `features` are what `trust` measures of the scan.
    """

    scan: str
    patient: str
    group: str = ""
    methods: dict[str, OfMethod]
    features: dict[str, float] = Field(default_factory=dict)


class Sheet(_Frozen):
    """The answers of a model, or of the models of several folds."""

    format: str = FORMAT
    kinds: Kinds
    thresholds: tuple[float, ...] = THRESHOLDS
    least_lesion_ml: tuple[float, ...] = LEAST_ML
    answers: tuple[Answer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Sheet:
        if self.format != FORMAT:
            raise ValueError(f"expected the format {FORMAT!r}, got {self.format[:50]!r}")
        if (self.thresholds, self.least_lesion_ml) != (THRESHOLDS, LEAST_ML):
            raise ValueError("of other decisions than this version tries")
        methods = self.answers[0].methods.keys()
        for one in self.answers:
            if one.methods.keys() != methods:
                raise ValueError(f"scan {one.scan[:50]!r} has other methods than the first")
            if any(tuple(own.kinds) != self.kinds for own in one.methods.values()):
                raise ValueError(f"scan {one.scan[:50]!r} has other kinds than {self.kinds}")
        names = [one.scan for one in self.answers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"scan {twice[:50]!r} is there twice")
        return self

    @property
    def methods(self) -> list[str]:
        """The keys of the estimations."""
        return list(self.answers[0].methods)

    @property
    def patients(self) -> list[list[Answer]]:
        """The answers by patient, in order."""
        found: dict[str, list[Answer]] = {}
        for one in self.answers:
            found.setdefault(one.patient, []).append(one)
        return list(found.values())

    def write(self, path: Path) -> None:
        """As JSON; raises `UsageError` if it cannot be written."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Sheet:
        """One sheet of several files; `InputError` for what is none, or does not go together."""
        sheets = [cls._read(path) for path in paths]
        whole = {
            "kinds": sheets[0].kinds,
            "answers": [one for sheet in sheets for one in sheet.answers],
        }
        return _validated(whole, "the sheets of answers together")

    @classmethod
    def _read(cls, path: Path) -> Sheet:
        return _validated(read_json(path, WHAT, remedy="Write it again."), str(path))


def _validated(content: object, what: str) -> Sheet:
    try:
        return TypeAdapter(Sheet).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:100]
        raise InputError(
            f"{what}: expected {WHAT}; {place + ': ' if place else ''}{first['msg']}. Write the "
            "sheets again with this version and one model a fold."
        ) from None
