"""Where rt-utils puts the contours of an RTSTRUCT, against where the slices have them.

    pip install --target rt --no-deps rt-utils opencv-python-headless
    PYTHONPATH=rt python benchmarks/rtstruct.py

A box is marked in every slice of a series of 30: even, with pixels that are not square, tilted and
uneven. Its four corners, from each slice's own position and orientation, are compared with the
nearest point of the contour that refers to the slice.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
import typer
from numpy.typing import NDArray
from pydicom import Dataset

from strokediff.errors import UsageError
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import Phantom

Bend = Callable[[Dataset, int], None]
SHAPE, PIXEL_MM, STEP_MM = (256, 256, 30), 0.9, 5.0
ROWS, COLUMNS = slice(100, 150), slice(75, 125)
"""Of the box."""


def as_it_is(dataset: Dataset, k: int) -> None:
    """Nothing is changed in the k-th slice."""


def oblong(dataset: Dataset, k: int) -> None:
    """Pixels that are higher than wide."""
    down, across = dataset.PixelSpacing
    dataset.PixelSpacing = [down * 1.25, across]


def uneven(dataset: Dataset, k: int) -> None:
    """Slices 3 mm further apart from the 15th on."""
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y, round(z + 3.0 * max(k - 14, 0), 6)]


SERIES: dict[str, tuple[float, Bend]] = {
    "even, square pixels": (0.0, as_it_is),
    "even, pixels a quarter higher than wide": (0.0, oblong),
    "tilted by 15 degrees": (15.0, as_it_is),
    "tilted by -12 degrees": (-12.0, as_it_is),
    "uneven: 5 mm, then 8 mm": (0.0, uneven),
}


def write(folder: Path, tilt_deg: float, bend: Bend) -> list[Dataset]:
    """A series of blank slices in `folder`, bent; its slices."""
    turn = np.radians(tilt_deg)
    affine = np.diag([PIXEL_MM, PIXEL_MM * np.cos(turn), STEP_MM, 1.0])
    affine[2, 1] = PIXEL_MM * np.sin(turn)
    blank = np.zeros(SHAPE)
    meta = {"kind": "blank", "seed": [0], "slice_thickness_mm": STEP_MM, "tilt_deg": tilt_deg}
    made = Phantom(blank.astype(np.int16), blank > 0, blank > 0, affine, meta)
    slices: list[Dataset] = []
    for k, path in enumerate(write_dicom_series(made, folder, localizer=False)):
        dataset = pydicom.dcmread(path)
        bend(dataset, k)
        dataset.save_as(path)
        slices.append(dataset)
    return slices


def corners(dataset: Dataset) -> NDArray[np.float64]:
    """(4, 3) mm: the middles of the box's corner pixels, by PS3.3 C.7.6.2.1.1."""
    origin, along, down = plane(dataset)
    height, width = map(float, dataset.PixelSpacing)
    return np.array(
        [
            origin + column * width * along + row * height * down
            for row in (ROWS.start, ROWS.stop - 1)
            for column in (COLUMNS.start, COLUMNS.stop - 1)
        ]
    )


def plane(dataset: Dataset) -> tuple[NDArray[np.float64], ...]:
    """A slice's first pixel (mm) and the directions along and down it."""
    turn = np.array(dataset.ImageOrientationPatient, float)
    return np.array(dataset.ImagePositionPatient, float), turn[:3], turn[3:]


def astray(struct: Dataset, slices: Sequence[Dataset]) -> tuple[float, float]:
    """The farthest, mm, that a corner is from its contour, and a contour from its slice's plane."""
    by_uid = {str(own.SOPInstanceUID): own for own in slices}
    off, out = [], []
    for uid, points in contours(struct):
        origin, along, down = plane(by_uid[uid])
        apart = np.linalg.norm(corners(by_uid[uid])[:, None] - points, axis=2)
        off.append(apart.min(axis=1).max())
        out.append(np.abs((points - origin) @ np.cross(along, down)).max())
    return float(max(off)), float(max(out))


def contours(struct: Dataset) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each contour's slice and points (N, 3), mm."""
    for own in struct.ROIContourSequence[0].ContourSequence:
        uid = own.ContourImageSequence[0].ReferencedSOPInstanceUID
        yield str(uid), np.array(own.ContourData, float).reshape(-1, 3)


def library() -> Any:
    """rt-utils' builder."""
    try:
        return importlib.import_module("rt_utils").RTStructBuilder
    except ModuleNotFoundError as error:
        raise UsageError(
            f"no {error.name}: 'pip install --target rt --no-deps rt-utils opencv-python-headless' "
            "and PYTHONPATH=rt. It is no part of strokediff."
        ) from error


def main() -> None:
    """Print a table."""
    builder = library()
    print("| series | farthest off, mm | out of its slice's plane, mm |\n| --- | --- | --- |")
    for name, (tilt_deg, bend) in SERIES.items():
        with TemporaryDirectory() as place:
            slices = write(Path(place), tilt_deg, bend)
            struct = builder.create_new(dicom_series_path=place)
            mask = np.zeros((slices[0].Rows, slices[0].Columns, len(slices)), bool)
            mask[ROWS, COLUMNS] = True
            struct.add_roi(mask=mask, name="box")
            off, out = astray(struct.ds, slices)
        print(f"| {name} | {off:.2f} | {out:.2f} |")


if __name__ == "__main__":
    typer.run(main)
