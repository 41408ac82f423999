"""A cohort: patients on the network's grid in one folder, with their split.

    COHORT/cohort.json       grid, split by patient, origin, what was found
    COHORT/patients.zarr     NAME/x (Z, S, S) float16, NAME/y and NAME/m (Z, S, S) uint8

Needs the `train` extra (zarr).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.data.preprocess import GridConfig
from strokediff.errors import InputError
from strokediff.extras import require

FORMAT = 1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Patient:
    """One patient on the network's grid: x, y, m are (Z, S, S)."""

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

    def read(self, name: str) -> Patient:
        """Read one patient's arrays."""
        group = require("zarr", "train").open_group(str(self.path / "patients.zarr"), mode="r")
        entry = group[name]
        return Patient(name, entry["x"][:], entry["y"][:], entry["m"][:])


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

    def add(self, patient: Patient, **details: Any) -> None:
        """Store one patient; `details` are plain JSON."""
        entry = self._group.create_group(patient.name)
        for key in ("x", "y", "m"):
            array = getattr(patient, key)
            entry.create_array(key, data=array, chunks=array.shape)
        self.patients[patient.name] = {
            "slices": len(patient.x),
            "lesion_slices": int(patient.y.any(axis=(1, 2)).sum()),
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


def split_patients(names: list[str], *, val: float, test: float, seed: int) -> dict[str, list[str]]:
    """A split by patient: a permutation fixed by `seed`, at least one patient to train on."""
    order = np.random.default_rng(seed).permutation(len(names))
    shuffled = [sorted(names)[i] for i in order]
    n_val, n_test = round(val * len(names)), round(test * len(names))
    if n_val + n_test >= len(names):
        raise InputError(
            f"{len(names)} patients cannot be split with {val:.0%} for validation and {test:.0%} "
            "for testing: none would be left to train on. Add patients or lower --val and --test."
        )
    return {
        "test": sorted(shuffled[:n_test]),
        "val": sorted(shuffled[n_test : n_test + n_val]),
        "train": sorted(shuffled[n_test + n_val :]),
    }
