"""The images of a viewer page: the head around the brain, its lesions and their probability.

What lies far from the brain is left out: it is most of the bytes, and it is the face.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

AROUND_MM = 8.0
"""So far from the brain the head is shown: the skull, not the face."""
SIDE = 256
"""Pixels a row of the CT are made fewer until they are at most so many; masks keep theirs."""
HU = (-100, 300)
"""Values beyond are of no interest beside a stroke, and cost bytes."""


@dataclass(frozen=True)
class Shown:
    """A NIfTI file as text, for a page."""

    name: str
    base64: str


def shown_ct(
    hu: NDArray[np.float32], brain: NDArray[np.bool_], affine: NDArray[np.float64]
) -> Shown:
    """The CT around the brain, in whole HU; air elsewhere."""
    by = -(-max(hu.shape[:2]) // SIDE)
    mean, grid = _fewer(np.clip(hu, *HU), affine, by)
    inside = brain[: mean.shape[0] * by : by, : mean.shape[1] * by : by]
    distance = ndimage.distance_transform_edt(~inside, sampling=_spacing(grid))
    near = np.where(distance <= AROUND_MM, np.rint(mean), HU[0])
    return _file("ct.nii.gz", near.astype(np.int16), grid)


def full_ct(hu: NDArray[np.float32], affine: NDArray[np.float64]) -> Shown:
    """All of the CT at its own resolution, in whole HU: to draw on."""
    return _file("ct.nii.gz", np.rint(np.clip(hu, *HU)).astype(np.int16), affine)


def shown_labels(labels: NDArray[np.uint8], affine: NDArray[np.float64]) -> Shown:
    """Which kind of lesion is where."""
    return _file("lesions.nii.gz", labels, affine)


def shown_probability(probability: NDArray[np.float32], affine: NDArray[np.float64]) -> Shown:
    """In percent."""
    percent = np.rint(100 * probability.clip(0, 1)).astype(np.uint8)
    return _file("probability.nii.gz", percent, affine)


def _fewer(
    hu: NDArray[np.float32], affine: NDArray[np.float64], by: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Means over `by` x `by` pixels of a slice; what does not fill such a square is left out."""
    if by == 1:
        return hu, affine
    x, y, z = (hu.shape[0] // by, hu.shape[1] // by, hu.shape[2])
    cut = hu[: x * by, : y * by].reshape(x, by, y, by, z)
    step = np.diag([by, by, 1.0, 1.0])
    step[:2, 3] = (by - 1) / 2
    return cut.mean(axis=(1, 3)), affine @ step


def _file(name: str, array: NDArray[np.generic], affine: NDArray[np.float64]) -> Shown:
    image: nib.Nifti1Image = nib.Nifti1Image(array, affine)
    packed = gzip.compress(image.to_bytes(), 6, mtime=0)
    return Shown(name, base64.b64encode(packed).decode("ascii"))


def _spacing(affine: NDArray[np.float64]) -> list[float]:
    return [float(side) for side in np.linalg.norm(affine[:3, :3], axis=0)]
