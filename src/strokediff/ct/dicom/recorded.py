"""What a scanner records of a slice that tells one pass over the head from another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import pydicom

from strokediff.ct.dicom.values import (
    integer,
    items_of,
    number,
    raw_text,
    text,
    texts_of,
    value_of,
)

RECORDED_TAGS = (
    "AcquisitionDate",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "AcquisitionUID",
    "ContentDate",
    "ContentTime",
    "ConvolutionKernel",
    "Exposure",
    "FilterType",
    "ImageType",
    "IrradiationEventUID",
    "KVP",
    "ReconstructionDiameter",
    "ReconstructionMethod",
    "SeriesDescription",
    "SliceThickness",
    "StackID",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TriggerTime",
    "XRayTubeCurrent",
)
_FRAME, _MADE = "FrameContentSequence", "CTReconstructionSequence"
_EXPOSURE, _DETAILS = "CTExposureSequence", "CTXRayDetailsSequence"
_WORDS = {
    "temporal": ((_FRAME, "TemporalPositionIndex"), ("", "TemporalPositionIdentifier")),
    "stack": ((_FRAME, "StackID"),),
    "acquisition_uid": (("", "AcquisitionUID"),),
    "irradiation": (("IrradiationEventIdentificationSequence", "IrradiationEventUID"),),
    "kernel": ((_MADE, "ConvolutionKernel"),),
    "filter": ((_DETAILS, "FilterType"),),
    "tube_voltage": ((_DETAILS, "KVP"),),
    "description": (("", "SeriesDescription"),),
    "reconstruction": ((_MADE, "ReconstructionAlgorithm"), ("", "ReconstructionMethod")),
    "diameter": ((_MADE, "ReconstructionDiameter"),),
    "thickness": (("PixelMeasuresSequence", "SliceThickness"),),
    "trigger": (
        ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
        ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
        ("", "TriggerTime"),
    ),
    "exposure": ((_EXPOSURE, "ExposureInmAs"), ("", "Exposure")),
    "current": ((_EXPOSURE, "XRayTubeCurrentInmA"), ("", "XRayTubeCurrent")),
}
"""Where each text stands: an item of a sequence (or the slice's own, without one), in turn."""
_DAY_S = 86400.0
_TIME = re.compile(r"(\d{2}):?(\d{2}):?(\d{2}(?:\.\d+)?)?")


@dataclass(frozen=True)
class Recorded:
    """Attributes of one slice, empty text or 0 where they are absent.

    `acquired_s` and `content_s` are seconds (from an arbitrary day where dates are known), None
    where not recorded. `dimensions` are a frame's DimensionIndexValues.
    """

    acquisition: int
    temporal: str
    stack: str
    acquisition_uid: str
    irradiation: str
    kernel: str
    filter: str
    image_type: tuple[str, ...]
    tube_voltage: str
    description: str
    reconstruction: str
    diameter: str
    thickness: str
    trigger: str
    exposure: str
    current: str
    dimensions: tuple[int, ...]
    acquired_s: float | None
    content_s: float | None

    @classmethod
    def of(cls, groups: list[pydicom.Dataset]) -> Recorded:
        """From the datasets that may hold a slice's attributes, its own first."""

        def first(*places: tuple[str, str]) -> Any:
            for sequence, keyword in places:
                holder = find(groups, sequence, keyword)
                if holder is not None:
                    return value_of(holder, keyword)
            return None

        words = {name: "\\".join(texts_of(first(*places))) for name, places in _WORDS.items()}
        return cls(
            acquisition=integer(
                first((_FRAME, "FrameAcquisitionNumber"), ("", "AcquisitionNumber"))
            ),
            image_type=texts_of(
                first(("CTImageFrameTypeSequence", "FrameType"), ("", "ImageType"))
            ),
            dimensions=_whole(first((_FRAME, "DimensionIndexValues"))),
            acquired_s=_moment(
                first((_FRAME, "FrameAcquisitionDateTime"), ("", "AcquisitionDateTime")),
                first(("", "AcquisitionDate")),
                first(("", "AcquisitionTime")),
            ),
            content_s=_moment(
                first((_FRAME, "FrameReferenceDateTime")),
                first(("", "ContentDate")),
                first(("", "ContentTime")),
            ),
            **words,
        )


def find(groups: list[pydicom.Dataset], sequence: str, keyword: str) -> pydicom.Dataset | None:
    """The first dataset with a value for `keyword`: an item of `sequence`, or a group itself."""
    for group in groups:
        items = items_of(group, sequence) if sequence else []
        for holder in (*items[:1], group):
            if keyword in holder and not _is_empty(holder, keyword):
                return holder
    return None


def _is_empty(holder: pydicom.Dataset, keyword: str) -> bool:
    return value_of(holder, keyword) in (None, "") and not raw_text(holder, keyword)


def _whole(value: Any) -> tuple[int, ...]:
    if isinstance(value, (int, float)):
        value = [value]
    if not isinstance(value, (list, tuple, pydicom.multival.MultiValue)):
        return ()
    return tuple(integer(v) for v in value[:8])


def _moment(stamp: Any, day: Any, clock: Any) -> float | None:
    """Seconds of a date and time of day (DICOM's DT, or DA and TM); None where unreadable."""
    stamped = text(stamp)
    if len(stamped) >= 12 and stamped[:8].isdigit():
        day, clock = stamped[:8], re.split(r"[+-]", stamped[8:])[0]
    match = _TIME.match(text(clock))
    if not match:
        return None
    hours, minutes, seconds = match.groups()
    within = 3600 * int(hours) + 60 * int(minutes) + (number(seconds) or 0.0)
    return _days(text(day)) * _DAY_S + within


def _days(day: str) -> int:
    digits = day.replace(".", "").replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).toordinal()
    except ValueError:
        return 0
