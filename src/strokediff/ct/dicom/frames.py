"""One record a slice from a parsed header: a classic file, or each frame of a multi-frame one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from strokediff.ct.dicom.recorded import RECORDED_TAGS, Recorded, find
from strokediff.ct.dicom.values import (
    has_decimal_comma,
    integer,
    items_of,
    number,
    numbers_in,
    raw_text,
    text,
    texts_of,
    value_of,
)

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.2"
CT_CLASSES = (CT_IMAGE, ENHANCED_CT, LEGACY_ENHANCED_CT)
UNIT_TOLERANCE = 0.02
"""Direction cosines of two decimals are this far from unit length, or from perpendicular."""
EXACT_TOLERANCE = 1e-6
MAX_FRAMES = 4096
TAGS = (
    "BitsAllocated",
    "BodyPartExamined",
    "Columns",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusVolume",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InstanceNumber",
    "Manufacturer",
    "ManufacturerModelName",
    "Modality",
    "NumberOfFrames",
    "PatientID",
    "PerFrameFunctionalGroupsSequence",
    "PixelSpacing",
    "ProtocolName",
    "Rows",
    "SOPClassUID",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SharedFunctionalGroupsSequence",
    "StudyDescription",
    "StudyInstanceUID",
    *RECORDED_TAGS,
)


@dataclass(frozen=True)
class SliceHeader:
    """What one slice (a file, or one frame of a multi-frame file) says about itself.

    `orientation` is the row direction and the column direction (2, 3), unit and perpendicular,
    and `position` the centre of the first pixel (3,), both LPS mm; `spacing` is (between rows,
    between columns), mm. Where one of the three is None, `flaws` says what came instead. `bits`
    are those allocated a pixel and `n_frames` the frames of the file; `recorded` is what tells
    one pass over the head from another.
    """

    path: Path
    frame: int | None
    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str
    modality: str
    image_type: tuple[str, ...]
    description: str
    protocol: str
    study_description: str
    body_part: str
    kernel: str
    contrast: str
    contrast_volume: float | None
    manufacturer: str
    model: str
    rows: int
    columns: int
    samples: int
    bits: int
    n_frames: int
    series_number: int
    instance_number: int
    orientation: NDArray[np.float64] | None
    position: NDArray[np.float64] | None
    spacing: tuple[float, float] | None
    flaws: tuple[str, ...]
    decimal_comma: bool
    recorded: Recorded

    @property
    def acquisition_number(self) -> int:
        """AcquisitionNumber, or a frame's own."""
        return self.recorded.acquisition

    @property
    def image_bytes(self) -> int:
        """Bytes of all pixels of the file, uncompressed."""
        return self.rows * self.columns * self.samples * self.n_frames * (max(self.bits, 8) // 8)


def headers_of(path: Path, dataset: pydicom.Dataset) -> list[SliceHeader]:
    """The records of a header, as many as it has frames; `ValueError` for absurdly many."""
    frames = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    if not frames:
        return [_slice(path, None, dataset, [dataset])]
    if len(frames) > MAX_FRAMES:
        raise ValueError(f"{len(frames)} frames, more than {MAX_FRAMES}")
    shared = items_of(dataset, "SharedFunctionalGroupsSequence")
    return [_slice(path, i, dataset, [f, *shared, dataset]) for i, f in enumerate(frames)]


def _slice(
    path: Path, frame: int | None, dataset: pydicom.Dataset, groups: list[pydicom.Dataset]
) -> SliceHeader:
    """One record; `groups` are searched in turn for what a multi-frame file keeps a frame."""
    place = _Place.of(groups)
    recorded = Recorded.of(groups)
    instance = integer(value_of(dataset, "InstanceNumber"))

    def word(keyword: str) -> str:
        return text(value_of(dataset, keyword))

    def count(keyword: str, default: int = 0) -> int:
        return integer(value_of(dataset, keyword), default)

    return SliceHeader(
        path=path,
        frame=frame,
        patient_id=word("PatientID"),
        study_uid=word("StudyInstanceUID"),
        series_uid=word("SeriesInstanceUID"),
        sop_uid=word("SOPInstanceUID"),
        sop_class=word("SOPClassUID"),
        transfer_syntax=text(value_of(dataset.file_meta, "TransferSyntaxUID")),
        modality=word("Modality").upper(),
        image_type=recorded.image_type,
        description=word("SeriesDescription"),
        protocol=word("ProtocolName"),
        study_description=word("StudyDescription"),
        body_part=word("BodyPartExamined").upper(),
        kernel=recorded.kernel,
        contrast=_contrast(dataset, groups),
        contrast_volume=number(value_of(dataset, "ContrastBolusVolume")),
        manufacturer=word("Manufacturer"),
        model=word("ManufacturerModelName"),
        rows=count("Rows"),
        columns=count("Columns"),
        samples=count("SamplesPerPixel", 1),
        bits=count("BitsAllocated", 16),
        n_frames=max(1, count("NumberOfFrames", 1)),
        series_number=count("SeriesNumber"),
        instance_number=instance if frame is None else frame + 1,
        orientation=place.orientation,
        position=place.position,
        spacing=place.spacing,
        flaws=place.flaws,
        decimal_comma=place.decimal_comma,
        recorded=recorded,
    )


@dataclass(frozen=True)
class _Place:
    """Geometry of one slice, and what is wrong with it."""

    orientation: NDArray[np.float64] | None
    position: NDArray[np.float64] | None
    spacing: tuple[float, float] | None
    flaws: tuple[str, ...]
    decimal_comma: bool

    @classmethod
    def of(cls, groups: list[pydicom.Dataset]) -> _Place:
        flaws: list[str] = []
        commas = False

        def numbers(sequence: str, keyword: str, count: int) -> NDArray[np.float64] | None:
            nonlocal commas
            holder = find(groups, sequence, keyword)
            found = None if holder is None else numbers_in(holder, keyword, count)
            if found is None:
                raw = "" if holder is None else text(raw_text(holder, keyword))[:60]
                flaws.append(
                    f"{keyword} reads '{raw}', not {count} numbers" if raw else f"no {keyword}"
                )
            elif holder is not None:
                commas = commas or has_decimal_comma(holder, keyword)
            return found

        orientation = numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6)
        position = numbers("PlanePositionSequence", "ImagePositionPatient", 3)
        spacing = numbers("PixelMeasuresSequence", "PixelSpacing", 2)
        directions = None if orientation is None else unit_directions(orientation.reshape(2, 3))
        if orientation is not None and directions is None:
            flaws.append("ImageOrientationPatient is not two perpendicular directions of length 1")
        if spacing is not None and spacing.min() <= 0:
            flaws.append("PixelSpacing is not above 0")
            spacing = None
        sides = None if spacing is None else (float(spacing[0]), float(spacing[1]))
        return cls(directions, position, sides, tuple(flaws), commas)


def unit_directions(orientation: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The nearest two perpendicular unit vectors (2, 3), None where they are not near.

    Rounded cosines such as (0.99, 0.17) have length 1.0045, which would scale the affine; the
    nearest orthonormal pair is the polar factor U V' of the singular value decomposition.
    """
    gram = orientation @ orientation.T
    off = float(np.abs(np.sqrt(np.diag(gram)) - 1).max())
    off = max(off, abs(float(gram[0, 1])))
    if off <= EXACT_TOLERANCE:
        return orientation
    if off > UNIT_TOLERANCE:
        return None
    u, _, vt = np.linalg.svd(orientation, full_matrices=False)
    return np.asarray(u @ vt, dtype=np.float64)


def _contrast(dataset: pydicom.Dataset, groups: list[pydicom.Dataset]) -> str:
    """The agent as the header names it; NONE where a frame says that it was not given."""
    given = find(groups, "ContrastBolusUsageSequence", "ContrastBolusAgentAdministered")
    if given is not None and text(value_of(given, "ContrastBolusAgentAdministered")) == "NO":
        return "NONE"
    named = text(value_of(dataset, "ContrastBolusAgent"))
    agents: list[Any] = items_of(dataset, "ContrastBolusAgentSequence")
    if named or not agents:
        return named
    return " ".join(texts_of(value_of(agents[0], "CodeMeaning"))) or "contrast agent"
