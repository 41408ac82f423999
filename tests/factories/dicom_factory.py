"""Small synthetic CT series for tests: a head-like block with an asymmetric marker.

Everything is a keyword with a sound default; a test states only what it bends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from strokediff.ct.dicom.frames import SliceHeader, headers_of

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
N, ROWS, COLUMNS = 20, 40, 32
SPACING = (0.9, 0.7)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MARKER = (5, 9, 3)
"""Column, row and slice of a bright voxel."""
MARKER_HU = 900


def uid(text: str) -> str:
    """A UID that is the same in every run."""
    return generate_uid(entropy_srcs=["strokediff-tests", text])


def head(slices: int = N, rows: int = ROWS, columns: int = COLUMNS, seed: int = 0) -> np.ndarray:
    """HU (slices, rows, columns): air, a skull, brain and the marker; no symmetry."""
    rng = np.random.default_rng(seed)
    hu = np.full((slices, rows, columns), -1000, dtype=np.int16)
    hu[:, 4 : rows - 6, 3 : columns - 4] = 800
    inside = (slice(None), slice(6, rows - 8), slice(5, columns - 7))
    hu[inside] = rng.integers(20, 45, hu[inside].shape)
    hu[MARKER[2] : MARKER[2] + 1, MARKER[1], MARKER[0]] = MARKER_HU
    return hu


def tilted(degrees: float) -> tuple[float, ...]:
    """Orientation of slices turned about the patient's left-right axis."""
    a = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.cos(a)), -float(np.sin(a)))


def write_series(
    folder: Path, *, compress: str | None = None, prefix: str = "", **bend: Any
) -> list[Path]:
    """Write `datasets(...)` to one file a slice and return their paths, from the first to the last.

    `compress` is a transfer syntax UID.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, ds in enumerate(datasets(prefix=prefix, **bend)):
        if compress is not None:
            ds.compress(compress, generate_instance_uid=False)
        path = folder / f"{prefix}{k:03d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def headers(*, prefix: str = "", **bend: Any) -> list[SliceHeader]:
    """The records of `datasets(...)`, as if they had been written and scanned."""
    made = enumerate(datasets(prefix=prefix, **bend))
    return [h for k, ds in made for h in headers_of(Path(f"{prefix}{k:03d}.dcm"), ds)]


def datasets(
    *,
    hu: np.ndarray | None = None,
    z: Any = None,
    orientation: tuple[float, ...] = AXIAL,
    corner: tuple[float, float] = (-20.0, -30.0),
    series: str = "ncct",
    study: str = "study",
    patient: str = "patient",
    description: str = "Head 5.0 H30s",
    rescale: Any = (1.0, -1024.0),
    spacing: tuple[float, float] = SPACING,
    acquisition: int = 1,
    numbers: Any = None,
    prefix: str = "",
    **attributes: Any,
) -> Iterator[Dataset]:
    """One dataset a slice.

    `z` are the slices' z positions (LPS mm; every 5 mm by default), `rescale` one (slope,
    intercept) or one a slice, `attributes` further elements (None deletes one; a function gives
    each slice its own).
    """
    hu = head() if hu is None else hu
    z = 5.0 * np.arange(len(hu)) if z is None else z
    for k, plane in enumerate(hu):
        slope, intercept = rescale[k] if isinstance(rescale, list) else rescale
        number = k + 1 if numbers is None else numbers[k]
        ds = _base(CT_IMAGE, f"{patient}{study}{series}{prefix}{acquisition}-{number}-{k}")
        _identity(ds, series, study, patient, description)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.InstanceNumber, ds.AcquisitionNumber = number, acquisition
        ds.ImageOrientationPatient = list(orientation)
        ds.ImagePositionPatient = [*corner, float(z[k])]
        ds.PixelSpacing = list(spacing)
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
        ds.ConvolutionKernel = "H30s"
        # Decoys: the reader must not believe these.
        ds.SliceThickness, ds.GantryDetectorTilt = 77.0, 3.0
        _pixels(ds, np.rint((plane - intercept) / slope))
        for name, value in attributes.items():
            _set(ds, name, value(k) if callable(value) else value)
        yield ds


def write_enhanced(
    path: Path,
    hu: np.ndarray | None = None,
    shuffle: bool = True,
    z: Any = None,
    content: Any = None,
) -> Path:
    """One Enhanced CT file, frames in another order than their positions, 4 mm apart.

    `z` are their positions, `content(k)` the FrameContentSequence's elements of the k-th.
    """
    hu = head() if hu is None else hu
    z = 4.0 * np.arange(len(hu)) if z is None else z
    order = np.random.default_rng(3).permutation(len(hu)) if shuffle else np.arange(len(hu))
    ds = _base(ENHANCED_CT, "enhanced")
    _identity(ds, "enhanced", "study", "patient", "Head 4.0")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.NumberOfFrames = len(hu)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = list(SPACING)
    plane.ImageOrientationPatient = list(AXIAL)
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k in order:
        frame, position, values = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [-20.0, -30.0, float(z[k])]
        values.RescaleSlope, values.RescaleIntercept = 1.0, -1024.0 - float(k)
        frame.PlanePositionSequence = Sequence([position])
        frame.PixelValueTransformationSequence = Sequence([values])
        if content is not None:
            told = Dataset()
            for name, value in content(k).items():
                setattr(told, name, value)
            frame.FrameContentSequence = Sequence([told])
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    _pixels(ds, np.stack([hu[k] + 1024 + k for k in order]))
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def _base(sop_class: str, name: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid(name)
    return ds


def _identity(ds: Dataset, series: str, study: str, patient: str, description: str) -> None:
    ds.Modality = "CT"
    ds.PatientID, ds.PatientName = patient, "Secret^Name"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(study), uid(series)
    ds.SeriesDescription = description
    ds.Manufacturer = "Test"


def _pixels(ds: Dataset, stored: np.ndarray) -> None:
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = 1
    ds.PixelData = stored.astype("<i2").tobytes()


def _set(ds: Dataset, name: str, value: Any) -> None:
    if value is not None:
        setattr(ds, name, value)
    elif name in ds:
        delattr(ds, name)
