"""cohort.json of a prepared cohort, read strictly: what has another type or place is refused.

Names of patients are names of folders inside patients.zarr and nothing else: one that could lead
out of it is refused, whoever wrote it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json
from strokediff.util.kinds import JOINED, checked_kinds
from strokediff.util.plaintext import visible

COHORT_FORMAT = 2
SPLITS = ("train", "val", "test")
_MAX_SIDE = 2048
"""Pixels along a side of the network's grid."""
AGAIN = "Copy the whole cohort again, or prepare it again with: strokediff prepare SRC COHORT"


def is_own_name(name: str) -> bool:
    """Whether a patient's name is that of one folder inside patients.zarr."""
    return (
        0 < len(name.encode(errors="replace")) <= 255
        and not set(name) & set("/\\\0")
        and not name.startswith(".")
        and name != "zarr.json"
    )


def _own_name(name: str) -> str:
    if not is_own_name(name):
        raise ValueError("names of patients name one folder each")
    return name


def _small(grid: GridConfig) -> GridConfig:
    if grid.size > _MAX_SIDE:
        raise ValueError(f"a grid has at most {_MAX_SIDE} pixels a side")
    return grid


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Patient(_Strict):
    slices: NonNegativeInt = 0
    lesion_slices: NonNegativeInt = 0
    brain_slices: NonNegativeInt = 0
    patient: str = ""
    image: str = ""
    source: str = ""
    original: str = ""
    volume_ml: float = Field(0.0, ge=0)
    spacing_mm: (
        Annotated[list[Annotated[float, Field(gt=0, lt=1e4)]], Field(min_length=3, max_length=3)]
        | None
    ) = None
    midline: (
        Annotated[list[Annotated[float, Field(ge=-1e3, le=1e3)]], Field(min_length=3, max_length=3)]
        | None
    ) = None


class _Origin(_Strict):
    description: str = ""
    licence: str = ""
    spacing: str = ""
    source: str = ""
    spacing_note: str = ""


class _Split(_Strict):
    train: list[str]
    val: list[str]
    test: list[str]


class _Record(_Strict):
    grid: Annotated[GridConfig, AfterValidator(_small)]
    kinds: Annotated[list[str], AfterValidator(checked_kinds)] = list(JOINED)
    origin: _Origin
    patients: dict[Annotated[str, AfterValidator(_own_name)], _Patient]
    split: _Split
    findings: list[str] = []
    left_out: dict[str, str] = {}

    @model_validator(mode="after")
    def _each_patient_once(self) -> _Record:
        times = Counter([*self.split.train, *self.split.val, *self.split.test])
        for name, n in times.items():
            if name not in self.patients:
                raise ValueError(f"its split has {name[:100]!r}, who is no patient of the cohort")
            if n > 1:
                raise ValueError(f"its split has {name[:100]!r} twice")
        return self


def read_cohort_record(file: Path) -> dict[str, Any]:
    """The content of a cohort.json, checked; `InputError` says what is not as it should be."""
    meta = read_json(file, "the description of a prepared cohort", remedy=AGAIN)
    if meta.get("format") != COHORT_FORMAT or "split" not in meta:
        raise InputError(
            f"{file}: expected a prepared cohort of format {COHORT_FORMAT}, got format "
            f"{_short(meta.get('format'))}. {AGAIN}"
        )
    try:
        _Record.model_validate(meta)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = "".join(f"{visible(str(part))[:100]}: " for part in first["loc"])
        came = f", got {_short(first['input'])}" if where else ""
        raise InputError(
            f"{file}: cannot be read as a cohort: {where}{first['msg']}{came}. {AGAIN}"
        ) from None
    return meta


def _short(value: Any) -> str:
    return visible(repr(value))[:120]
