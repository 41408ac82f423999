"""Read the headers of DICOM files into plain records, one a slice, without their pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import MediaStorageDirectoryStorage

from strokediff.data.quiet import quiet

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.2"
CT_CLASSES = (CT_IMAGE, ENHANCED_CT, LEGACY_ENHANCED_CT)
DICOM_SUFFIXES = ("", ".dcm", ".ima", ".dicom", ".img")
MAX_TEXT = 200

TAGS = [
    "AcquisitionNumber",
    "BodyPartExamined",
    "Columns",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ConvolutionKernel",
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
    "StudyInstanceUID",
]


@dataclass(frozen=True)
class SliceHeader:
    """What one slice (a file, or one frame of a multi-frame file) says about itself.

    `orientation` is the row direction and the column direction (2, 3) and `position` the centre
    of the first pixel (3,), both LPS mm; `spacing` is (between rows, between columns), mm.
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
    body_part: str
    kernel: str
    contrast: str
    manufacturer: str
    model: str
    rows: int
    columns: int
    samples: int
    series_number: int
    instance_number: int
    acquisition_number: int
    orientation: NDArray[np.float64] | None
    position: NDArray[np.float64] | None
    spacing: tuple[float, float] | None


@dataclass
class Scan:
    """All that was found in some files: slices, and names of files that are damaged DICOM."""

    slices: list[SliceHeader] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    n_files: int = 0


def walk_files(folder: Path) -> Iterator[Path]:
    """All files below `folder` in a fixed order; hidden ones and link loops are left out."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        yield from (Path(parent) / n for n in sorted(names) if not n.startswith("."))


def scan(files: Iterable[Path]) -> Scan:
    """Read every DICOM header in `files`; files of other kinds are counted and left out."""
    found = Scan()
    for path in files:
        found.n_files += 1
        dataset = read_header(path)
        if isinstance(dataset, Exception):
            found.damaged.append(path)
        elif dataset is not None:
            found.slices.extend(_slices(path, dataset))
    return found


def read_header(path: Path) -> pydicom.Dataset | Exception | None:
    """The header of a DICOM image; None for another kind of file, the error for a damaged one."""
    try:
        looks = _looks_like_dicom(path)
    except OSError as error:
        return error
    if looks is None:
        return None
    if not looks:
        return EOFError("the file is empty")
    try:
        with quiet("pydicom"):
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS, force=True)
    except Exception as error:  # pydicom raises many kinds on damaged files
        return error
    if value_of(dataset.file_meta, "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None
    if not value_of(dataset, "SeriesInstanceUID") or not value_of(dataset, "SOPClassUID"):
        return ValueError("no SeriesInstanceUID or SOPClassUID")
    return dataset


def _looks_like_dicom(path: Path) -> bool | None:
    """True for DICOM, False for an empty file with a DICOM's name, None for other files."""
    with path.open("rb") as stream:
        start = stream.read(132)
    if not start:
        return False if path.suffix.lower() in DICOM_SUFFIXES[1:] else None
    if start[128:] == b"DICM":
        return True
    # Files without the preamble start with group 0008 (or 0002) and a small element number.
    if start[:2] in (b"\x08\x00", b"\x02\x00") and start[3:4] == b"\x00" and len(start) == 132:
        return True
    return None


def _slices(path: Path, dataset: pydicom.Dataset) -> list[SliceHeader]:
    frames = value_of(dataset, "PerFrameFunctionalGroupsSequence")
    if not frames:
        return [_slice(path, None, dataset, [dataset])]
    shared = list(value_of(dataset, "SharedFunctionalGroupsSequence") or [])
    return [_slice(path, i, dataset, [frame, *shared]) for i, frame in enumerate(frames)]


def _slice(
    path: Path, frame: int | None, dataset: pydicom.Dataset, groups: list[pydicom.Dataset]
) -> SliceHeader:
    """One record; `groups` are searched in turn for what a multi-frame file keeps a frame."""
    spacing = _numbers(_grouped(groups, "PixelMeasuresSequence", "PixelSpacing"), 2)
    orientation = _numbers(
        _grouped(groups, "PlaneOrientationSequence", "ImageOrientationPatient"), 6
    )
    position = _numbers(_grouped(groups, "PlanePositionSequence", "ImagePositionPatient"), 3)
    frame_type = (
        _grouped(groups, "CTImageFrameTypeSequence", "FrameType") if frame is not None else None
    )
    kernel = value_of(dataset, "ConvolutionKernel")
    if kernel is None:
        kernel = _grouped(groups, "CTReconstructionSequence", "ConvolutionKernel")
    acquisition = value_of(dataset, "AcquisitionNumber")
    if acquisition is None:
        acquisition = _grouped(groups, "FrameContentSequence", "FrameAcquisitionNumber")
    agents = value_of(dataset, "ContrastBolusAgentSequence")
    contrast = _text(value_of(dataset, "ContrastBolusAgent"))
    if not contrast and agents:
        contrast = _text(value_of(agents[0], "CodeMeaning")) or "contrast agent"
    return SliceHeader(
        path=path,
        frame=frame,
        patient_id=_text(value_of(dataset, "PatientID")),
        study_uid=_text(value_of(dataset, "StudyInstanceUID")),
        series_uid=_text(value_of(dataset, "SeriesInstanceUID")),
        sop_uid=_text(value_of(dataset, "SOPInstanceUID")),
        sop_class=_text(value_of(dataset, "SOPClassUID")),
        transfer_syntax=_text(value_of(dataset.file_meta, "TransferSyntaxUID")),
        modality=_text(value_of(dataset, "Modality")).upper(),
        image_type=_texts(frame_type or value_of(dataset, "ImageType")),
        description=_text(value_of(dataset, "SeriesDescription")),
        protocol=_text(value_of(dataset, "ProtocolName")),
        body_part=_text(value_of(dataset, "BodyPartExamined")).upper(),
        kernel="\\".join(_texts(kernel)),
        contrast=contrast,
        manufacturer=_text(value_of(dataset, "Manufacturer")),
        model=_text(value_of(dataset, "ManufacturerModelName")),
        rows=_integer(value_of(dataset, "Rows")),
        columns=_integer(value_of(dataset, "Columns")),
        samples=_integer(value_of(dataset, "SamplesPerPixel"), 1),
        series_number=_integer(value_of(dataset, "SeriesNumber")),
        instance_number=_integer(value_of(dataset, "InstanceNumber"))
        if frame is None
        else frame + 1,
        acquisition_number=_integer(acquisition),
        orientation=None if orientation is None else orientation.reshape(2, 3),
        position=position,
        spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
    )


def value_of(dataset: pydicom.Dataset, keyword: str) -> Any:
    """A value, or None where it is absent or cannot be parsed."""
    try:
        with quiet("pydicom"):
            return dataset.get(keyword)
    except Exception:  # pydicom converts on access, and raises many kinds on nonsense
        return None


def _grouped(groups: list[pydicom.Dataset], sequence: str, keyword: str) -> Any:
    """A value from the first group that has it, inside `sequence` or directly."""
    for group in groups:
        items = value_of(group, sequence)
        value = value_of(items[0] if items else group, keyword)
        if value is not None:
            return value
    return None


def _numbers(value: Any, count: int) -> NDArray[np.float64] | None:
    try:
        numbers = np.array([float(v) for v in value], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _integer(value: Any, default: int = 0) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def _text(value: Any) -> str:
    """Printable text, cut: damaged headers can hold anything, and this reaches messages."""
    text = "" if value is None else str(value).strip()
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_TEXT])


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    many = [value] if isinstance(value, str) else value
    return tuple(_text(v) for v in many)
