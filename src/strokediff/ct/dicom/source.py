"""The instances that a CT was read from, for objects that refer to them: headers without pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.config import RAISE
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.multival import MultiValue
from pydicom.valuerep import validate_value

from strokediff.ct.dicom.series import ChosenSeries
from strokediff.ct.dicom.streams import read_dataset
from strokediff.errors import InputError
from strokediff.util.quiet import quiet

EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
"""Must be there, and may be empty, in every object of a study."""
CHECKED = ("AS", "CS", "DA", "DT", "LO", "PN", "SH", "TM")
LAST_GROUP = 0x0020
"""Of patient, study, series and frame of reference."""
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True)
class SourceSlice:
    """The header of the instance that holds a slice, and in which of its frames, from 0."""

    dataset: Dataset
    frame: int | None = None


@dataclass(frozen=True)
class SourceSeries:
    """The slices of a CT in the order of its stored array's last axis.

    Of several instances at one position it is the one whose pixels were read. `spacing_mm` is
    (between rows, between columns), and `increment_mm` the median step between slices, by their
    positions: what headers say of it is often wrong.
    """

    slices: tuple[SourceSlice, ...]
    spacing_mm: tuple[float, float]
    increment_mm: float

    @property
    def instances(self) -> list[Dataset]:
        """Every instance once: one a slice, or a single one with frames."""
        found = {one.dataset.SOPInstanceUID: one.dataset for one in self.slices}
        return list(found.values())

    @property
    def first(self) -> Dataset:
        """One that speaks for patient, study and series."""
        return self.slices[0].dataset


def source_series(chosen: ChosenSeries) -> SourceSeries:
    """The instances of a series that `judge` chose.

    Raises `InputError` where one has no UIDs or no frame of reference: nothing can be placed on it.
    """
    geometry = chosen.stack.geometry
    if geometry is None:
        raise AssertionError("a chosen stack has geometry")
    headers = [group[0] for group in geometry.groups]
    read: dict[Path, Dataset] = {}
    for header in headers:
        if header.path not in read:
            with quiet("pydicom"):  # values that are not allowed are mended below
                read[header.path] = _header(header.path)
    instances = {str(dataset.SOPInstanceUID) for dataset in read.values()}
    if any(header.frame is not None for header in headers) and len(instances) > 1:
        raise InputError(
            f"{chosen.path}: a head of {len(instances)} files with frames each. Objects in DICOM "
            "can refer to single slices, or to one file with frames."
        )
    return SourceSeries(
        tuple(SourceSlice(read[h.path], h.frame) for h in headers),
        headers[0].spacing or (1.0, 1.0),
        float(np.median(geometry.increments_mm)),
    )


def _header(path: Path) -> Dataset:
    dataset = read_dataset(path)
    missing = [name for name in NEEDED if not dataset.get(name)]
    if missing:
        raise InputError(
            f"{path}: has no {', '.join(missing)}, which objects that refer to it need. Export the "
            "series from the PACS again."
        )
    for name in EMPTY:
        if name not in dataset:
            setattr(dataset, name, "")
    _mend(dataset)
    return dataset


def _mend(dataset: Dataset) -> None:
    """Empty what its kind of value does not allow, as "Unknown" for a date of birth.

    Whoever removes names from headers writes such values, and objects that copy them are refused.
    """
    for element in [*dataset]:
        vr = dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else ""
        if element.tag.group > LAST_GROUP or vr not in CHECKED:
            continue
        value = element.value
        try:
            for part in value if isinstance(value, MultiValue) else [value]:
                validate_value(vr, part, RAISE)
        except (TypeError, ValueError):
            value = None
        del dataset[element.tag]
        if value or element.keyword in EMPTY:
            dataset.add_new(element.tag, vr, value or "")
    if dataset.get("PatientIdentityRemoved") == "YES" and not dataset.get("DeidentificationMethod"):
        dataset.DeidentificationMethod = "not stated by the source"
