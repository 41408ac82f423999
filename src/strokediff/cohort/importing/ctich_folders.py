"""CT-ICH as PhysioNet published it first (version 1.0.0): a folder a patient, a JPEG a slice.

    Patients_CT/NNN/brain/S.jpg            650 x 650, 8 bit, brain window, slice 1 the lowest
    Patients_CT/NNN/brain/S_HGE_Seg.jpg    haemorrhage, where slice S shows one
    Patients_CT/NNN/bone/S.jpg             the bone window; not read
    hemorrhage_diagnosis.csv               which slices show what, if it is there

Hssayeni et al. 2020 (Data 5, 14): level 40, width 120, so grey 0 to 255 is -20 to 100 HU; slices
5 mm apart. The size of a pixel is not stored: 0.33 mm (0.412 mm of the scanner's 512 x 512 matrix)
is assumed for everybody, so areas and volumes are true on average only. A slice without a mask has
no haemorrhage. Pictures are taken as radiologists look at them; nothing in them tells left from
right.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.base import ListedScan, Listing, MaskedImage
from strokediff.cohort.importing.ctich import CtIch
from strokediff.cohort.importing.names import by_number, composed, entries, inside, strangers
from strokediff.cohort.importing.pictures import SLICE_MM, SUFFIXES, PictureLayout, read_grey
from strokediff.util.kinds import HAEMORRHAGE
from strokediff.util.names import safe_name

ROOT = "Patients_CT"
TABLE = "hemorrhage_diagnosis.csv"
IMAGE = re.compile(r"([0-9]{1,4})\.[a-z]+", re.IGNORECASE)
MASK = re.compile(r"([0-9]{1,4})_HGE_Seg\.[a-z]+", re.IGNORECASE)
_CUT = 127
"""Grey above which a pixel of a mask is drawn: JPEG blurs 0 and 255."""
_MAX_BYTES = 8_000_000

Numbers = frozenset[int]


class CtIchFolders(PictureLayout):
    """Patients are folders."""

    name = "ctich"
    title = CtIch.title
    licence = "CC BY 4.0 (version 1.0)"
    expected = f"{ROOT}/NNN/brain/S.jpg and S_HGE_Seg.jpg"
    window_hu = (-20.0, 100.0)
    unmasked_is_empty = True
    assumed_pixel_mm = 0.33
    kind = HAEMORRHAGE
    labels: Mapping[str, tuple[int, ...]] | None = {"haemorrhage": (1,)}

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether there are patients with a folder brain/, in Patients_CT/ or here."""
        return any((patient / "brain").is_dir() for patient in entries(_root(source), source))

    @property
    def spacing_note(self) -> str:
        """The pixels' side is one for all."""
        return (
            f"pixels of {self.assumed_pixel_mm:g} mm for every patient (the files hold "
            f"none; --pixel-mm), slices {SLICE_MM:g} mm apart as published"
        )

    def list_cases(self) -> Listing:
        """One case a patient; what the table of diagnoses says otherwise is noted."""
        cases, stray, unread, empty = [], [], [], []
        for patient in entries(_root(self.source), self.source):
            folder = patient / "brain"
            files = entries(folder, self.source, *SUFFIXES)
            images = [p for p in files if IMAGE.fullmatch(p.name)]
            masks, doubled = _by_slice([p for p in files if MASK.fullmatch(p.name)])
            unread += strangers(folder, self.source, *SUFFIXES)
            unread += [p for p in files if not (IMAGE.fullmatch(p.name) or MASK.fullmatch(p.name))]
            if not images:
                empty.append(patient)
                continue
            ordered = sorted(images, key=by_number)
            numbers = tuple(_slice(p) for p in ordered)
            pairs = tuple(MaskedImage(p, masks.get(_slice(p))) for p in ordered)
            stray += [*doubled, *(p for n, p in masks.items() if n not in numbers)]
            name = safe_name(f"ctich_{patient.name}")
            cases.append(ListedScan(name, composed(patient.name), pairs, numbers=numbers))
        notes = self._contradictions(cases)
        return Listing(tuple(cases), tuple(stray), tuple(empty), tuple(unread), tuple(notes))

    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """1 where it is drawn."""
        return (read_grey(path) > _CUT).astype(np.int32)

    def _contradictions(self, cases: list[ListedScan]) -> list[str]:
        """Slices whose mask, or which themselves, the table of diagnoses lets expect otherwise."""
        path = inside(self.source / TABLE, self.source)
        try:
            listed, bleeding = _diagnoses(path) if path.is_file() else ({}, {})
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            return [f"{TABLE} is not compared: it cannot be read ({str(error)[:100]})"]
        told: dict[str, list[str]] = defaultdict(list)
        for case in cases:
            number = int(case.patient) if case.patient.isdecimal() else None
            if number not in listed:
                continue
            drawn = {n for n, pair in zip(case.numbers, case.pairs, strict=True) if pair.mask}
            for what, slices in (
                ("slices that are not there", listed[number] - {*case.numbers}),
                ("a haemorrhage but no mask", (bleeding[number] & {*case.numbers}) - drawn),
                ("no haemorrhage but a mask", drawn & (listed[number] - bleeding[number])),
            ):
                if slices:
                    told[what].append(f"{case.name} ({', '.join(map(str, sorted(slices)[:5]))})")
        return [
            f"{TABLE} has {what} of {len(names)} patient(s): {', '.join(names[:5])}"
            for what, names in told.items()
        ]


def _root(source: Path) -> Path:
    return source / ROOT if (source / ROOT).is_dir() else source


def _slice(path: Path) -> int:
    return int(re.split(r"[._]", path.name)[0])


def _by_slice(paths: list[Path]) -> tuple[dict[int, Path], list[Path]]:
    """Masks by the number of their slice, and those of a slice that has one already."""
    found: dict[int, Path] = {}
    doubled = [path for path in paths if found.setdefault(_slice(path), path) is not path]
    return found, doubled


def _diagnoses(path: Path) -> tuple[dict[int, Numbers], dict[int, Numbers]]:
    """By patient: all slices, and those with a haemorrhage."""
    listed: dict[int, set[int]] = defaultdict(set)
    bleeding: dict[int, set[int]] = defaultdict(set)
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES} bytes")
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            patient, number = int(row["PatientNumber"]), int(row["SliceNumber"])
            listed[patient].add(number)
            if int(row["No_Hemorrhage"]) == 0:
                bleeding[patient].add(number)
    return (
        {patient: frozenset(slices) for patient, slices in listed.items()},
        {patient: frozenset(bleeding[patient]) for patient in listed},
    )
