"""A folder of labelled scans: which of them show no lesion, whose they are, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strokediff.ct.nifti.images import nifti_files
from strokediff.ct.nifti.masks import read_labels
from strokediff.ct.read import read_ct
from strokediff.ct.volume import CT
from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json

_EXPECTED = "a folder of labelled scans, as 'strokediff import' writes it"


@dataclass(frozen=True)
class Background:
    """A lesion-free scan; `patient` is whose it is."""

    name: str
    patient: str
    image: Path

    def read(self) -> CT:
        """The scan."""
        return read_ct(self.image)


@dataclass(frozen=True)
class Backgrounds:
    """The lesion-free scans of a folder, in order of their names, and what is said of it.

    `with_lesion` names the scans that are left out since their label is not empty.
    """

    folder: Path
    scans: tuple[Background, ...]
    with_lesion: tuple[str, ...]
    record: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: str | Path) -> Backgrounds:
        """Look at every label under `folder`.

        Raises `InputError` when there are no images/ with labels/, or no scan without a lesion.
        """
        folder = Path(folder)
        images = dict(nifti_files(folder / "images")) if (folder / "images").is_dir() else {}
        masks = dict(nifti_files(folder / "labels")) if (folder / "labels").is_dir() else {}
        both = sorted(images.keys() & masks.keys())
        if not both:
            raise InputError(
                f"{folder}: no scans with labels. Expected {_EXPECTED}: images/NAME.nii.gz with "
                "labels/NAME.nii.gz."
            )
        index = folder / "cohort.json"
        record = read_json(index, "the record of a folder of scans") if index.is_file() else {}
        people = record.get("patients")
        people = people if isinstance(people, dict) else {}
        free, rest = [], []
        for name in both:
            if read_labels(masks[name]).array.any():
                rest.append(name)
                continue
            entry = people.get(name)
            patient = str(entry.get("patient", name)) if isinstance(entry, dict) else name
            free.append(Background(name, patient, images[name]))
        if not free:
            raise InputError(
                f"{folder}: all {len(both)} scans show a lesion. Expected {_EXPECTED} with at "
                "least one scan whose label is empty."
            )
        return cls(folder, tuple(free), tuple(rest), record)

    def text(self, key: str) -> str | None:
        """What the folder's record says, where it is a text."""
        found = self.record.get(key)
        return found if isinstance(found, str) else None
