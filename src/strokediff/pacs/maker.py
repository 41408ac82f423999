"""Who made a mask, as DICOM objects say it: an algorithm, a person, or a person who corrected one.

A person is the observer of the report and has no algorithm; what he corrected is one of the notes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from highdicom import AlgorithmIdentificationSequence
from highdicom.sr import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
)
from pydicom.sr.codedict import codes as dicom

from strokediff.pacs import codes
from strokediff.result.figures import KindFigures, Result
from strokediff.result.reading import Reader, Reading
from strokediff.result.record import Record

MANUFACTURER = "strokediff"
SEPARATORS = re.compile(r"[\^=\\]")
"""Of a person's name in DICOM."""
LONG = 64
"""Characters of a DICOM long string (LO)."""


class Maker(Protocol):
    """What the objects of a result say of who made its mask."""

    @property
    def model(self) -> str:
        """The equipment's model."""
        ...

    @property
    def serial(self) -> str:
        """The equipment's serial number: what tells two of a model apart."""
        ...

    @property
    def segment(self) -> dict[str, Any]:
        """How a segment was made, as `SegmentDescription` takes it."""
        ...

    def algorithm(self, own: KindFigures) -> AlgorithmIdentification | None:
        """The algorithm that measured a kind of lesion; None of a person."""
        ...

    def observer(self, uid: str) -> ObservationContext:
        """Who observed; `uid` is that of the device."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Who it was, in sentences."""
        ...


def maker_of(result: Result) -> Maker:
    """The one that fits; `TypeError` for a result of nobody."""
    if isinstance(result, Record):
        return ByModel(result)
    if isinstance(result, Reading):
        return ByReader(result)
    raise TypeError(f"expected a Record or a Reading, got {type(result).__name__}")


@dataclass(frozen=True)
class ByModel:
    """A trained model, at its settings."""

    record: Record

    @property
    def model(self) -> str:
        """Its name."""
        return self.record.model.name[:LONG]

    @property
    def serial(self) -> str:
        """Of its weights."""
        return self.record.model.sha256[:16]

    @property
    def segment(self) -> dict[str, Any]:
        """AUTOMATIC, with the method."""
        return {
            "algorithm_type": "AUTOMATIC",
            "algorithm_identification": AlgorithmIdentificationSequence(
                name=f"strokediff {self.record.method}"[:LONG],
                family=codes.ARTIFICIAL_INTELLIGENCE,
                version=self.record.version,
                source=self.record.model.name[:LONG],
            ),
        }

    def algorithm(self, own: KindFigures) -> AlgorithmIdentification | None:
        """The method, the model, and the decision on that kind."""
        record = self.record
        return AlgorithmIdentification(
            name=f"strokediff {record.method}"[:LONG],
            version=record.version,
            family=codes.ARTIFICIAL_INTELLIGENCE,
            parameters=[
                f"model {record.model.name}",
                f"weights sha256 {record.model.sha256}",
                f"preset {record.preset}",
                f"threshold {own.threshold:g}",
                f"least lesion {own.least_lesion_ml:g} mL",
                f"seed {record.seed}",
            ],
        )

    def observer(self, uid: str) -> ObservationContext:
        """The device."""
        return _device(uid, self.record.model.name)

    @property
    def notes(self) -> Sequence[str]:
        """The model, what it was trained on, and what it can be expected to do."""
        model, kinds = self.record.model, {"lesion", *(own.name for own in self.record.kinds)}
        return [
            f"strokediff {self.record.version}, model {model.name}, trained on {model.trained_on}.",
            *(text for kind, text in model.statements.items() if kind in kinds),
        ]


@dataclass(frozen=True)
class ByReader:
    """A person, or a program that is not ours."""

    reading: Reading

    @property
    def reader(self) -> Reader:
        """Of the reading."""
        return self.reading.reader

    @property
    def model(self) -> str:
        """What was measured."""
        return "a mask that was read in"

    @property
    def serial(self) -> str:
        """Of the mask's file."""
        return self.reader.mask_sha256[:16]

    @property
    def segment(self) -> dict[str, Any]:
        """MANUAL; SEMIAUTOMATIC of a correction and AUTOMATIC of a program, with its name."""
        if self.reader.how == "manual":
            return {"algorithm_type": "MANUAL"}
        base = self.reader.corrects
        named = base.model if base else self.reader.name
        return {
            "algorithm_type": "SEMIAUTOMATIC" if self.reader.how == "corrected" else "AUTOMATIC",
            "algorithm_identification": AlgorithmIdentificationSequence(
                name=named[:LONG], family=codes.ARTIFICIAL_INTELLIGENCE, version="not known"
            ),
        }

    def algorithm(self, own: KindFigures) -> AlgorithmIdentification | None:
        """Of a program; a person has none."""
        if self.reader.how != "automatic":
            return None
        return AlgorithmIdentification(name=self.reader.name[:LONG], version="not known")

    def observer(self, uid: str) -> ObservationContext:
        """The person, or the program as a device."""
        if self.reader.how == "automatic":
            return _device(uid, self.reader.name)
        name = SEPARATORS.sub(" ", self.reader.name)
        person = PersonObserverIdentifyingAttributes(name=name)
        context = ObserverContext(
            observer_type=dicom.DCM.Person, observer_identifying_attributes=person
        )
        return ObservationContext(observer_person_context=context)

    @property
    def notes(self) -> Sequence[str]:
        """Who drew the mask, when, and on what."""
        at = f", {self.reader.time}" if self.reader.time else ""
        return [
            f"Mask of {self.reader.shown}{at}, measured by strokediff {self.reading.version}.",
            f"Mask: {self.reader.mask}, sha256 {self.reader.mask_sha256}.",
        ]


def _device(uid: str, model: str) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=uid,
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=model[:LONG],
    )
    context = ObserverContext(
        observer_type=dicom.DCM.Device, observer_identifying_attributes=device
    )
    return ObservationContext(observer_device_context=context)
