"""What the objects of one result share: its source, its masks, and who they say made it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import generate_uid

from strokediff.ct.dicom.source import SourceSeries
from strokediff.errors import InputError
from strokediff.pacs.maker import Maker, maker_of
from strokediff.result.figures import KindFigures, Result

SERIES_NUMBER = {"seg": 9000, "sr": 9001, "sc": 9002}
"""Beyond those of scanners."""
MADE = ("Content", "InstanceCreation", "Series")
"""Of which there are a date and a time."""
RESEARCH_USE = "For research use only. Not a medical device: not for diagnosis or treatment."


@dataclass(frozen=True)
class Finding:
    """A result and the series that it is of.

    `labels` (columns, rows, slices) is k + 1 where there is lesion of kind k, on the series' own
    array; `record` is result.json. Raises `InputError` where the two are not of one grid.
    """

    source: SourceSeries
    labels: NDArray[np.uint8]
    record: Result

    def __post_init__(self) -> None:
        first = self.source.first
        wanted = int(first.Columns), int(first.Rows), len(self.source.slices)
        if self.labels.shape != wanted:
            raise InputError(
                f"the mask has {_size(self.labels.shape)} voxels and the series {_size(wanted)} "
                "(columns, rows, slices). Give the series that was segmented."
            )

    @property
    def present(self) -> list[tuple[int, KindFigures]]:
        """The kinds of lesion of which there is any, with their segment's number, from 1."""
        there = [own for k, own in enumerate(self.record.kinds) if self.mask(k).any()]
        return [*enumerate(there, start=1)]

    def mask(self, k: int) -> NDArray[np.bool_]:
        """Where there is lesion of kind k, (columns, rows, slices)."""
        return np.asarray(self.labels == k + 1)

    def place_of(self, kind: str) -> int:
        """k of a kind."""
        return [own.name for own in self.record.kinds].index(kind)

    def uid(self, *what: str) -> str:
        """The UID of one thing of this result: the same for the same result of the same scan."""
        return str(generate_uid(entropy_srcs=[self._identity, *what]))

    @cached_property
    def maker(self) -> Maker:
        """Who made the mask."""
        return maker_of(self.record)

    @cached_property
    def _identity(self) -> str:
        record = self.record
        told = record.model_dump(mode="json", exclude={"seconds", "files", "fingerprint", "input"})
        instances = [str(dataset.SOPInstanceUID) for dataset in self.source.instances]
        mask = hashlib.blake2b(np.ascontiguousarray(self.labels).tobytes()).hexdigest()
        return hashlib.sha256(repr((instances, mask, sorted(told.items()))).encode()).hexdigest()

    @property
    def notes(self) -> Sequence[str]:
        """What whoever reads the result must know, in sentences."""
        record = self.record
        reasons = record.trust.reasons if record.trust else ()
        return [
            RESEARCH_USE,
            *self.maker.notes,
            *(f"Do not rely on this result: {reason.text}" for reason in reasons),
            *record.warnings,
        ]


def stamped(dataset: Dataset, source: Dataset) -> Dataset:
    """The object with the scan's dates, so that the same result is the same file, and no physician.

    Dates of making would differ between two runs of which the UIDs do not.
    """
    dataset.SpecificCharacterSet = "ISO_IR 192"  # readers have names, and models, of any letters
    dates = {"Date": str(source.get("SeriesDate") or source.get("StudyDate") or "19000101")}
    dates["Time"] = str(source.get("SeriesTime") or source.get("StudyTime") or "000000")
    for part, value in dates.items():
        for name in (*(f"{what}{part}" for what in MADE), f"{part}OfSecondaryCapture"):
            if name in dataset:
                setattr(dataset, name, value)
    for own in dataset.get("ContributingEquipmentSequence", ()):
        own.ContributionDateTime = "".join(dates.values())
    for name in ("ReferringPhysicianName", "PhysiciansOfRecord", "OperatorsName"):
        if name in dataset:
            setattr(dataset, name, "")
    return dataset


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
