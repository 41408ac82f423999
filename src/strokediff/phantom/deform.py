"""Where each point of the scanner's space lies in the atlas: pose, size, warp, mass effect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.phantom.anatomy import Atlas
from strokediff.phantom.fields import Field, smooth_field
from strokediff.phantom.params import DrawnHead, Parameters

WARP_STEP = 4


def rotation(angles_deg: tuple[float, float, float]) -> NDArray[np.float64]:
    """Rotation about x (nod), y (tilt to a side), z (turn), applied in this order."""
    a, b, c = np.deg2rad(angles_deg)
    rx = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    ry = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    rz = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    return np.array(rz) @ np.array(ry) @ np.array(rx)


CENTRE_MM = np.array([0.0, -8.0, 0.0])
"""The point of the head, in MNI mm, about which it turns and that lies in the gantry's centre."""


def head_matrix(subject: DrawnHead) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M, b) with world_mm = M (mni_mm - centre) + b."""
    return rotation(subject.rotation_deg) @ np.diag(subject.scale), np.array(subject.shift_mm)


def displacement(atlas: Atlas, parameters: Parameters, lesion: Field) -> Field:
    """Displacement (3, x, y, z) in mm on every `WARP_STEP`-th atlas voxel.

    It is added to the position that is looked up, so a vector that points to a structure makes
    the structure grow: towards the ventricles for atrophy, towards the lesion for swelling.
    """
    subject = parameters.subject
    rng = np.random.default_rng([subject.seed, 4])
    s = slice(None, None, WARP_STEP)
    shape = atlas.ventricle[s, s, s].shape
    field = np.stack(
        [
            subject.warp_mm * smooth_field(rng, shape, 45.0 / WARP_STEP)
            + 0.30 * subject.warp_mm * smooth_field(rng, shape, 14.0 / WARP_STEP)
            for _ in range(3)
        ]
    )
    inner = np.clip(-atlas.depth[s, s, s] / 12.0, 0.15, 1.0)
    field[:] *= 0.35 + 0.65 * inner
    grow = 8.0 * (subject.atrophy - 0.25)
    field += grow * toward(atlas.ventricle[s, s, s], 7.0) * inner
    if parameters.lesions:
        volume = sum(item.volume_ml for item in parameters.lesions)
        push = max(item.swelling for item in parameters.lesions) * min(0.25 * volume**0.6, 4.0)
        field += push * toward(lesion[s, s, s], 12.0) * inner
    return np.asarray(field, dtype=np.float32)


def toward(mask: Field, reach_mm: float) -> Field:
    """Unit-size vectors that point to a soft mask and fade with distance."""
    smooth = ndimage.gaussian_filter(mask, reach_mm / WARP_STEP)
    gradient = np.stack(np.gradient(smooth))
    size = np.sqrt((gradient**2).sum(0)).max()
    return np.asarray(gradient / max(float(size), 1e-6), dtype=np.float32)


def atlas_coordinates(
    world_mm: NDArray[np.float64], atlas: Atlas, parameters: Parameters, warp: Field
) -> Field:
    """Fractional atlas indices (..., 3) of points in scanner space (..., 3)."""
    matrix, shift = head_matrix(parameters.subject)
    mni = (world_mm - shift) @ np.linalg.inv(matrix).T + CENTRE_MM
    voxel = atlas.to_voxel(mni)
    at = np.moveaxis(voxel, -1, 0) / WARP_STEP
    moved = [ndimage.map_coordinates(w, at, order=1, mode="nearest") for w in warp]
    return np.asarray(voxel + np.stack(moved, axis=-1), dtype=np.float32)
