"""A cohort: patients on the network's grid in one folder, with their split.

    COHORT/cohort.json       grid, split by patient, origin, what was found
    COHORT/patients.zarr     NAME/x (Z, S, S) float16, NAME/y and NAME/m (Z, S, S) uint8

x goes on beyond m for RIM_MM: the mask of the brain is never exact, so training varies it.

Needs the `train` extra (zarr).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.data.preprocess import GridConfig
from strokediff.errors import InputError, UsageError
from strokediff.extras import require

FORMAT = 2
RIM_MM = 4.0
PREPARED = ("cohort.json", "patients.zarr")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Patient:
    """One patient on the network's grid: x, y, m are (Z, S, S); x covers m and a rim around it."""

    name: str
    x: NDArray[np.float16]
    y: NDArray[np.uint8]
    m: NDArray[np.uint8]


@dataclass(frozen=True)
class Cohort:
    """An opened cohort folder."""

    path: Path
    grid: GridConfig
    split: dict[str, list[str]]
    origin: dict[str, Any]
    patients: dict[str, dict[str, Any]]

    @property
    def spacing_known(self) -> bool:
        """False where a source had no spacing: millimetres and mL are then nominal."""
        return self.origin.get("spacing") != "unknown"

    def slice_spacing_mm(self, name: str) -> float | None:
        """The distance between a patient's slices; None if it is unknown."""
        spacing = self.patients[name].get("spacing_mm")
        return float(spacing[2]) if spacing else None

    def patient_of(self, name: str) -> str:
        """Whose scan it is; one who was scanned once is called as the scan."""
        return str(self.patients[name].get("patient", name))

    def by_patient(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The scans `names` of every patient."""
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(self.patient_of(name), []).append(name)
        return found

    @property
    def fingerprint(self) -> str:
        """Of its grid and all that is known of its patients, however they are split."""
        content = [self.grid.model_dump(), self.origin, self.patients]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self, name: str) -> Patient:
        """Read one patient's arrays; `InputError` if they are not what cohort.json says."""
        zarr = require("zarr", "train")
        try:
            entry = zarr.open_group(str(self.path / "patients.zarr"), mode="r")[name]
            patient = Patient(name, entry["x"][:], entry["y"][:], entry["m"][:])
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise self._damaged(name, f"{type(error).__name__}: {error}") from None
        known = self.patients[name]
        # A chunk that is missing reads as zeros, and zeros are not stored: the counts tell.
        if {a.shape for a in (patient.y, patient.m)} != {patient.x.shape}:
            raise self._damaged(name, "its arrays differ in shape")
        found = _counts(patient)
        blank = bool(found["brain_slices"]) and not patient.x.any()
        if blank or any(known.get(key, n) != n for key, n in found.items()):
            raise self._damaged(name, ", ".join(f"{n} {key}" for key, n in found.items()))
        return patient

    def _damaged(self, name: str, why: str) -> InputError:
        return InputError(
            f"{self.path / 'patients.zarr' / name}: not what cohort.json says of it ({why[:200]}). "
            "Copy the whole cohort again, or prepare it again."
        )


def open_cohort(path: Path) -> Cohort:
    """Open COHORT, or raise `InputError` saying what is wrong with it."""
    file = path / "cohort.json"
    if not file.is_file():
        raise InputError(
            f"{path}: not a prepared cohort (no cohort.json with a grid). "
            "Make one with: strokediff prepare SRC COHORT"
        )
    try:
        meta = json.loads(file.read_text())
        if not isinstance(meta, dict) or not isinstance(meta.get("origin", {}), dict):
            raise TypeError("expected an object, and one as 'origin'")
        if meta.get("format") != FORMAT or "split" not in meta:
            raise InputError(
                f"{file}: expected a prepared cohort of format {FORMAT}, got format "
                f"{meta.get('format')!r}. Prepare it again with: strokediff prepare SRC COHORT"
            )
        return Cohort(
            path=path,
            grid=GridConfig(**meta["grid"]),
            split={name: list(meta["split"][name]) for name in SPLITS},
            origin=meta["origin"],
            patients=meta["patients"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file}: cannot be read as a cohort ({error}). Prepare it again."
        ) from None


class CohortWriter:
    """Writes patients one by one into a folder that its owner renames when complete."""

    def __init__(self, folder: Path, grid: GridConfig) -> None:
        self.folder = folder
        self.grid = grid
        self.patients: dict[str, dict[str, Any]] = {}
        zarr = require("zarr", "train")
        self._group = zarr.open_group(str(folder / "patients.zarr"), mode="w")

    def add(self, patient: Patient, /, **details: Any) -> None:
        """Store one patient; `details` are plain JSON ("patient": whose scan it is)."""
        entry = self._group.create_group(patient.name)
        for key in ("x", "y", "m"):
            array = getattr(patient, key)
            entry.create_array(key, data=array, chunks=array.shape)
        self.patients[patient.name] = {
            **_counts(patient),
            **details,
        }

    def finish(self, *, split: dict[str, list[str]], origin: dict[str, Any]) -> None:
        """Write cohort.json; the cohort is then complete."""
        meta = {
            "format": FORMAT,
            "grid": self.grid.model_dump(),
            "origin": origin,
            "split": split,
            "patients": self.patients,
        }
        (self.folder / "cohort.json").write_text(json.dumps(meta, indent=1))


def _counts(patient: Patient) -> dict[str, int]:
    """How many slices there are, and how many show a lesion and brain."""
    shown = {"lesion_slices": patient.y, "brain_slices": patient.m}
    counts = {key: int(array.any(axis=(1, 2)).sum()) for key, array in shown.items()}
    return {"slices": len(patient.x), **counts}


def held_out(n: int, *, val: float, test: float) -> tuple[int, int]:
    """How many of n patients go to validation and to testing; at least one is left to train on."""
    if not (0 <= val < 1 and 0 <= test < 1):
        raise UsageError(f"expected shares from 0 to below 1, got val {val:g} and test {test:g}.")
    n_val, n_test = round(val * n), round(test * n)
    if n_val + n_test >= n:
        raise InputError(
            f"{n} patients cannot be split with {val:.0%} for validation and {test:.0%} "
            "for testing: none would be left to train on. Add patients or lower --val and --test."
        )
    return n_val, n_test


def split_patients(
    patients: Mapping[str, tuple[str, float]], *, val: float, test: float, seed: int
) -> dict[str, list[str]]:
    """A split by patient, fixed by `seed`, that holds out every kind and size of lesion alike.

    `patients` maps a name to its group and lesion volume. Ordered by both (ties: at random), the
    patients held out are taken at equal steps from a random start, so that a few of them stand
    for all: with a plain draw of twenty the median volume can be twice that of the training set.
    """
    n_val, n_test = held_out(len(patients), val=val, test=test)
    rng = np.random.default_rng(seed)
    shuffled = [sorted(patients)[i] for i in rng.permutation(len(patients))]
    order = sorted(shuffled, key=lambda name: patients[name])
    held = _evenly(order, n_val + n_test, rng)
    tested = _evenly(held, n_test, rng)
    return {
        "test": sorted(tested),
        "val": sorted(set(held) - set(tested)),
        "train": sorted(set(order) - set(held)),
    }


def _evenly(names: Sequence[str], k: int, rng: np.random.Generator) -> list[str]:
    """k of `names` at equal steps, from a random start."""
    start = rng.random()
    return [names[int((start + j) * len(names) / k)] for j in range(k)]
