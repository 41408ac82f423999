"""A cohort: patients on the network's grid in one folder, with their split.

    COHORT/cohort.json       grid, split by patient, origin, what was found
    COHORT/patients.zarr     NAME/x (Z, S, S) float16, NAME/y and NAME/m (Z, S, S) uint8

Bit k of y is set where the lesion is of kind k; of one kind y is 0 or 1.

x goes on beyond m for RIM_MM: the mask of the brain is never exact, so training varies it.

Needs the `train` extra (zarr).
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.arrays import DTYPES, check_array
from strokediff.cohort.record import COHORT_FORMAT, is_own_name, read_cohort_record
from strokediff.cohort.record import SPLITS as SPLITS
from strokediff.ct.checks.sanity import MAX_VOXELS
from strokediff.ct.grid import GridConfig
from strokediff.ct.midline import Midline
from strokediff.errors import InputError, UsageError
from strokediff.util.extras import require
from strokediff.util.files import recover
from strokediff.util.kinds import JOINED

RIM_MM = 4.0
PREPARED = ("cohort.json", "patients.zarr")


@dataclass(frozen=True)
class Patient:
    """One patient on the network's grid: x, y, m are (Z, S, S); x covers m and a rim around it.

    `midline` is that of x in m, where it was found already.
    """

    name: str
    x: NDArray[np.float16]
    y: NDArray[np.uint8]
    m: NDArray[np.uint8]
    midline: Midline | None = None


def by_kind(y: NDArray[np.uint8], kinds: int) -> NDArray[np.bool_]:
    """A prepared label (..., S, S) as one mask a kind, (kinds, ..., S, S).

    >>> by_kind(np.array([[0, 1], [2, 3]], np.uint8), 2).astype(int).tolist()
    [[[0, 1], [0, 1]], [[0, 0], [1, 1]]]
    """
    bits = np.arange(kinds, dtype=np.uint8).reshape(-1, *(1,) * y.ndim)
    return (y >> bits & 1).astype(np.bool_)


def as_bits(masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Undo `by_kind`: masks (K, ..., S, S) as one label."""
    bits = np.arange(len(masks), dtype=np.uint8).reshape(-1, *(1,) * (masks.ndim - 1))
    return np.asarray(np.bitwise_or.reduce(masks.astype(np.uint8) << bits, axis=0), np.uint8)


@dataclass(frozen=True)
class Cohort:
    """An opened cohort folder.

    `split` names the scans of train, val and test; `patients` holds what is known of each.
    `findings` are warnings about the whole, `left_out` scans that could not be used and why.
    `kinds` names the kinds of lesion that are told apart.

    >>> cohort = open_cohort("cohort")
    >>> print(cohort)
    4 patients (1 train, 2 val, 1 test); 4 with a lesion; 96 x 96 pixels of 2.0 mm
    >>> patient = cohort.read(cohort.split["train"][0])
    >>> patient.x.shape == patient.y.shape == patient.m.shape == (14, 96, 96)
    True
    """

    path: Path
    grid: GridConfig
    split: dict[str, list[str]]
    origin: dict[str, Any]
    patients: dict[str, dict[str, Any]]
    findings: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = JOINED

    def __str__(self) -> str:
        """How many patients there are, in which parts, and on what grid."""
        counts = ", ".join(f"{len(names)} {name}" for name, names in self.split.items())
        lesions = sum(entry["lesion_slices"] > 0 for entry in self.patients.values())
        assumed = self.origin.get("spacing_note")
        nominal = f" ({assumed})" if assumed else ""
        nominal = nominal if self.spacing_known else " (nominal: spacing is unknown)"
        return (
            f"{len(self.patients)} patients ({counts}); {lesions} with a lesion; "
            f"{self.grid.size} x {self.grid.size} pixels of {self.grid.spacing_mm} mm{nominal}"
        )

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

    def source_of(self, name: str) -> str:
        """The folder that a scan came from, of several; none if there was one."""
        return str(self.patients[name].get("source", ""))

    def by_patient(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The scans `names` of every patient."""
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(self.patient_of(name), []).append(name)
        return found

    @property
    def fingerprint(self) -> str:
        """Of its grid and all that is known of its patients, however they are split."""
        content: list[Any] = [self.grid.model_dump(), self.origin, self.patients]
        content += [] if self.kinds == JOINED else [list(self.kinds)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self, name: str) -> Patient:
        """Read one patient's arrays; `InputError` if they are not what cohort.json says.

        Nothing is unpacked that is not of the size that cohort.json tells, at most `MAX_VOXELS`.
        """
        known = self.patients.get(name)
        if known is None or not is_own_name(name):
            raise InputError(f"{self.path}: has no patient {name!r}. Give one of its own.")
        zarr = require("zarr", "train")
        folder, side = self.path / "patients.zarr" / name, self.grid.size
        shape = (int(known.get("slices", 0)), side, side)
        if not 0 < math.prod(shape) <= MAX_VOXELS:
            raise self._damaged(name, f"shape {shape}, more than {MAX_VOXELS} voxels or none")
        try:
            for key in DTYPES:
                check_array(folder, key, shape)
            group = zarr.open_group(str(folder), mode="r", zarr_format=3, use_consolidated=False)
            x, y, m = (np.asarray(group[key][:]) for key in ("x", "y", "m"))
            line = known.get("midline")
            patient = Patient(name, x, y, m, Midline(*line) if line else None)
        except Exception as error:  # zarr, its codecs and JSON each raise their own kinds
            raise self._damaged(name, f"{type(error).__name__}: {error}") from None
        # A chunk that is missing reads as zeros, and zeros are not stored: the counts tell.
        found = _counts(patient)
        blank = bool(found["brain_slices"]) and not patient.x.any()
        if blank or any(known.get(key, n) != n for key, n in found.items()):
            raise self._damaged(name, ", ".join(f"{n} {key}" for key, n in found.items()))
        if known.get("crc32", _checksum(patient)) != _checksum(patient):
            raise self._damaged(name, "its checksum differs")
        return patient

    def _damaged(self, name: str, why: str) -> InputError:
        return InputError(
            f"{self.path / 'patients.zarr' / name}: not what cohort.json says of it ({why[:200]}). "
            "Copy the whole cohort again, or prepare it again."
        )


def open_cohort(path: str | Path) -> Cohort:
    """Open a folder that `prepare_cohort` wrote; `InputError` says what is wrong with it.

    >>> cohort = open_cohort("cohort")
    >>> sorted(cohort.patients), cohort.grid.size, cohort.spacing_known
    (['p1', 'p2', 'p3', 'p4'], 96, True)
    >>> open_cohort("scans")
    Traceback (most recent call last):
    strokediff.errors.InputError: scans: not a prepared cohort ...
    """
    path = Path(path)
    file = path / "cohort.json"
    if not file.exists():
        recover(path)
    if not file.is_file():
        raise InputError(
            f"{path}: not a prepared cohort (no cohort.json with a grid). "
            "Make one with: strokediff prepare SRC COHORT"
        )
    meta = read_cohort_record(file)
    return Cohort(
        path=path,
        grid=GridConfig(**meta["grid"]),
        split={part: meta["split"][part] for part in SPLITS},
        origin=meta["origin"],
        patients=meta["patients"],
        findings=tuple(meta.get("findings", ())),
        left_out=meta.get("left_out", {}),
        kinds=tuple(meta.get("kinds", JOINED)),
    )


class CohortWriter:
    """Writes patients one by one into a folder that its owner renames when complete."""

    def __init__(self, folder: Path, grid: GridConfig, kinds: tuple[str, ...] = JOINED) -> None:
        self.folder = folder
        self.grid = grid
        self.kinds = kinds
        self.patients: dict[str, dict[str, Any]] = {}
        zarr = require("zarr", "train")
        self._group = zarr.open_group(str(folder / "patients.zarr"), mode="w")

    def add(self, patient: Patient, /, **details: Any) -> None:
        """Store one patient; `details` are plain JSON ("patient": whose scan it is)."""
        if not is_own_name(patient.name):
            raise InputError(f"{patient.name!r}: no name for a patient. Rename the scan.")
        entry = self._group.create_group(patient.name)
        for key in ("x", "y", "m"):
            array = getattr(patient, key)
            entry.create_array(key, data=array, chunks=array.shape)
        self.patients[patient.name] = {
            **_counts(patient),
            "crc32": _checksum(patient),
            **({"midline": list(astuple(patient.midline))} if patient.midline else {}),
            **details,
        }

    def finish(
        self,
        *,
        split: dict[str, list[str]],
        origin: dict[str, Any],
        findings: Sequence[str] = (),
        left_out: Mapping[str, str] | None = None,
    ) -> None:
        """Write cohort.json; the cohort is then complete."""
        meta = {
            "format": COHORT_FORMAT,
            "grid": self.grid.model_dump(),
            **({} if self.kinds == JOINED else {"kinds": list(self.kinds)}),
            "origin": origin,
            "split": split,
            "patients": self.patients,
            **({"findings": list(findings)} if findings else {}),
            **({"left_out": dict(left_out)} if left_out else {}),
        }
        text = json.dumps(meta, indent=1, ensure_ascii=False)
        # A byte of a file name that is no text is written as its escape, as `write_text` does.
        (self.folder / "cohort.json").write_bytes(text.encode("utf-8", "backslashreplace"))


def _counts(patient: Patient) -> dict[str, int]:
    """How many slices there are, and how many show a lesion and brain."""
    shown = {"lesion_slices": patient.y, "brain_slices": patient.m}
    counts = {key: int(array.any(axis=(1, 2)).sum()) for key, array in shown.items()}
    return {"slices": len(patient.x), **counts}


def _checksum(patient: Patient) -> int:
    """Of all three arrays: zstd as zarr writes it does not tell a bit that flipped."""
    found = 0
    for array in (patient.x, patient.y, patient.m):
        found = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, found)
    return found


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
