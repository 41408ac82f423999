"""A mask's file on the axes of the CT that it was drawn on, whatever program stored it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strokediff.ct import axes
from strokediff.ct.nifti.masks import StoredArray, check_same_grid
from strokediff.ct.regular_grid import regular_grid
from strokediff.ct.volume import CT


def labels_on(ct: CT, stored: StoredArray) -> NDArray[np.uint8]:
    """The labels (X, Y, Z) on the axes of `ct`; `InputError` if they lie on another grid.

    Programs flip and swap axes when they save: only where the voxels lie must be the same. Of
    unevenly spaced slices masks are on the even grid of `ct.nii.gz` and `lesion_mask.nii.gz`, and
    each slice takes the closest one.
    """
    mask = StoredArray(
        stored.path,
        axes.canonical(stored.array, stored.affine),
        axes.canonical_affine(stored.affine, stored.shape),
    )
    grid = regular_grid(ct)
    affine = grid.affine if ct.uneven else ct.affine
    shape = (*ct.hu.shape[:2], len(grid.positions)) if ct.uneven else ct.hu.shape
    # Nothing of it is read but its place.
    wanted = StoredArray(ct.source.path, np.broadcast_to(np.uint8(0), shape), affine)
    check_same_grid(mask, wanted)
    labels = mask.array.astype(np.uint8)
    return np.ascontiguousarray(grid.back(labels) if ct.uneven else labels)
