"""A DICOM segmentation of anybody, on the slices of the series that it is of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from strokediff.ct.dicom.source import SourceSeries
from strokediff.errors import InputError
from strokediff.util.kinds import LESION, MOST_KINDS
from strokediff.util.plaintext import visible
from strokediff.util.quiet import quiet

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
BY_CODE = {"55641003": "infarct", "50960005": "haemorrhage", "52988006": LESION}
"""SNOMED CT."""
NEAR = 0.05
"""Of the spacing: so far a frame's place may be from its slice's."""
HALF = 0.5
BACKGROUND = 0
"""Of label maps."""


@dataclass(frozen=True)
class ReadSegments:
    """`labels` (columns, rows, slices) on the series' own array, k + 1 for `kinds[k]`.

    `how` is what the object says of all its segments (MANUAL, SEMIAUTOMATIC, AUTOMATIC), `creator`
    who made it, where it says so.
    """

    labels: NDArray[np.uint8]
    kinds: tuple[str, ...]
    how: str
    creator: str


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_segmentation(path: Path, source: SourceSeries) -> ReadSegments:
    """Read a SEG (BINARY, FRACTIONAL from one half on, or LABELMAP) of `source`.

    Frames are put on the slice that they refer to, or else that lies where they do. Segments are
    kinds of lesion by their code, infarct or haemorrhage, else by their label. Raises `InputError`
    for another object, another series or place, and for voxels of two kinds.
    """
    with quiet("pydicom"):
        dataset = _opened(path)
        try:
            return _read(path, dataset, source)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: the segmentation is not whole ({error}). Export it again."
            ) from error


def _read(path: Path, dataset: Dataset, source: SourceSeries) -> ReadSegments:
    kinds = _kinds(dataset)
    names = tuple(dict.fromkeys(kinds.values()))
    first = source.first
    labels = np.zeros((int(first.Columns), int(first.Rows), len(source.slices)), np.uint8)
    for number, n, mask in _frames(path, dataset, source):
        k = names.index(kinds[number]) + 1
        own = labels[:, :, n]
        if ((own > 0) & (own != k) & mask).any():
            raise InputError(
                f"{path}: marks voxels as {names[k - 1]} and as another kind. Expected one "
                "kind a voxel: take them out of one of the segments."
            )
        own[mask] = k
    algorithms = {str(one.get("SegmentAlgorithmType", "")) for one in dataset.SegmentSequence}
    how = algorithms.pop() if len(algorithms) == 1 else ""
    return ReadSegments(labels, names, how, str(dataset.get("ContentCreatorName") or ""))


def _opened(path: Path) -> Dataset:
    try:
        dataset = dcmread(path)
        known = dataset.SOPClassUID in (SEGMENTATION, LABEL_MAP) and dataset.SegmentSequence
    except Exception as error:  # whatever calls itself DICOM
        raise InputError(f"{path}: cannot be read as DICOM ({error}). Export it again.") from error
    if not known:
        raise InputError(
            f"{path}: is no DICOM segmentation but {visible(str(dataset.SOPClassUID.name))}. "
            "Expected a SEG, or a NIfTI file with the mask."
        )
    return dataset


def _kinds(dataset: Dataset) -> dict[int, str]:
    """The kind of lesion of each segment, by its number."""
    found: dict[int, str] = {}
    for own in dataset.SegmentSequence:
        if int(own.SegmentNumber) == BACKGROUND:
            continue
        codes = own.get("SegmentedPropertyTypeCodeSequence") or [Dataset()]
        label = re.sub(r"[^a-z0-9_-]+", "-", str(own.get("SegmentLabel", "")).lower()).strip("-")
        plain = label[:32] if re.match("[a-z]", label) else LESION
        found[int(own.SegmentNumber)] = BY_CODE.get(str(codes[0].get("CodeValue", "")), plain)
    if len({*found.values()}) > MOST_KINDS:
        raise ValueError(f"{len(found)} kinds of segments, expected at most {MOST_KINDS}")
    return found


def _frames(
    path: Path, dataset: Dataset, source: SourceSeries
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """The segment's number, the slice, and the mask (columns, rows) of each frame."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = dataset.PerFrameFunctionalGroupsSequence
    first = source.first
    most = len(source.slices) * len(dataset.SegmentSequence)
    if (dataset.Rows, dataset.Columns) != (first.Rows, first.Columns) or len(groups) > most:
        raise InputError(
            f"{path}: {len(groups)} frames of {dataset.Rows} x {dataset.Columns}, expected those "
            f"of the series, {len(source.slices)} slices of {first.Rows} x {first.Columns}."
        )
    values = np.asarray(dataset.pixel_array).reshape(len(groups), dataset.Rows, dataset.Columns)
    slices = _Slices(source)
    for group, frame in zip(groups, values, strict=True):
        n = slices.of(path, group, shared)
        if dataset.SOPClassUID == LABEL_MAP:
            for number in np.unique(frame[frame > 0]).tolist():
                yield int(number), n, (frame == number).T
            continue
        segment = _item(group, shared, "SegmentIdentificationSequence")
        most_value = float(dataset.get("MaximumFractionalValue") or 1)
        yield int(segment.ReferencedSegmentNumber), n, (frame >= HALF * most_value).T


class _Slices:
    """Which slice of a series a frame is on."""

    def __init__(self, source: SourceSeries) -> None:
        self.source = source
        self.place = {
            (str(one.dataset.SOPInstanceUID), one.frame): n for n, one in enumerate(source.slices)
        }
        self.corners = np.array([_corner(one.dataset, one.frame) for one in source.slices])

    def of(self, path: Path, group: Dataset, shared: Dataset) -> int:
        """By what the frame refers to, checked against its position; by that alone else."""
        corner = np.array(_item(group, shared, "PlanePositionSequence").ImagePositionPatient, float)
        distance = np.linalg.norm(self.corners - corner, axis=1)
        named = [self.place[key] for key in _referred(group) if key in self.place]
        n = named[0] if named else int(distance.argmin())
        if distance[n] > NEAR * min(self.source.spacing_mm):
            raise InputError(
                f"{path}: a frame lies {distance[n]:.2f} mm from the slice of the series. Expected "
                "a segmentation of the series that is given as CT."
            )
        return n


def _referred(group: Dataset) -> Iterator[tuple[str, int | None]]:
    for derived in group.get("DerivationImageSequence") or ():
        for image in derived.get("SourceImageSequence") or ():
            frame = image.get("ReferencedFrameNumber")
            number = frame if isinstance(frame, int | str | None) else frame[0]
            index = None if number is None else int(number) - 1
            yield str(image.ReferencedSOPInstanceUID), index


def _corner(dataset: Dataset, frame: int | None) -> Sequence[float]:
    if frame is None:
        return [float(v) for v in dataset.ImagePositionPatient]
    own, shared = (
        dataset.PerFrameFunctionalGroupsSequence[frame],
        dataset.SharedFunctionalGroupsSequence[0],
    )
    position = _item(own, shared, "PlanePositionSequence").ImagePositionPatient
    return [float(v) for v in position]


def _item(group: Dataset, shared: Dataset, name: str) -> Any:
    found = group.get(name) or shared.get(name)
    if not found:
        raise ValueError(f"no {name}")
    return found[0]
