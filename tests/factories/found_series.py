"""A series of every geometry with an infarct and a haemorrhage in it, as objects refer to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from dicom_factory import tilted, write_enhanced, write_series
from numpy.typing import NDArray
from records import record

from strokediff.ct.discovery.discover import discover
from strokediff.ct.discovery.loading import load_case, load_source
from strokediff.ct.volume import CT
from strokediff.pacs.finding import Finding
from strokediff.result.figures import Exceeds, KindFigures

KINDS = ("infarct", "haemorrhage")
FRAME = "1.2.826.0.1.3680043.8.498.77"


def turned(degrees: float) -> tuple[float, ...]:
    """Rows turned in the plane: an oblique series whose voxels are not along the axes."""
    a = np.radians(degrees)
    return (float(np.cos(a)), float(np.sin(a)), 0.0, -float(np.sin(a)), float(np.cos(a)), 0.0)


def series(folder: Path, **bend: Any) -> Path:
    write_series(folder, FrameOfReferenceUID=FRAME, **bend)
    return folder


def enhanced(folder: Path) -> Path:
    path = write_enhanced(folder / "enhanced.dcm")
    dataset = pydicom.dcmread(path)
    dataset.FrameOfReferenceUID = FRAME
    dataset.save_as(path)
    return folder


UNEVEN = np.concatenate([np.arange(10) * 4.0, 36.0 + 7.0 * np.arange(1, 11)])
SERIES: dict[str, Callable[[Path], Path]] = {
    "even": series,
    "tilted": lambda folder: series(folder, orientation=tilted(15)),
    "tilted the other way": lambda folder: series(folder, orientation=tilted(-12)),
    "uneven": lambda folder: series(folder, z=UNEVEN),
    "oblique": lambda folder: series(folder, orientation=turned(20)),
    "feet first": lambda folder: series(
        folder, orientation=(-1.0, 0, 0, 0, 1, 0), z=-5.0 * np.arange(20), PatientPosition="FFS"
    ),
    "enhanced": enhanced,
}


def read(folder: Path) -> tuple[CT, Finding]:
    """The scan, and an infarct and a haemorrhage in it, each on one side alone."""
    case = discover(folder).cases[0]
    ct, source = load_case(case), load_source(case)
    labels = np.zeros(ct.hu.shape, np.uint8)
    labels[8:14, 12:20, 4:8] = 1
    labels[18:21, 14:17, 9:11] = 2
    labels[18, 14, 9] = 0
    return ct, Finding(source, ct.to_source(labels), figures(ct, labels))


def figures(ct: CT, labels: NDArray[np.uint8]) -> Any:
    kinds = [
        KindFigures(
            name=name,
            volume_ml=ct.mask_volume_mm3(labels == k + 1) / 1000,
            n_lesions=1,
            threshold=0.0,
            least_lesion_ml=0.2,
            doubt_ml=1.0,
            volume_interval_ml=(0.5, 9.0),
            volume_interval_kind="90% conformal",
            side=("left", "right")[k],
            exceeds=(Exceeds(volume_ml=50, probability=0.25, n=31),),
        )
        for k, name in enumerate(KINDS)
    ]
    return record().model_copy(update={"kinds": tuple(kinds)})
