"""Dura and vessels as bright as in real scans: what a network must not take for blood."""

from __future__ import annotations

import numpy as np

from strokediff.phantom.anatomy import Atlas
from strokediff.phantom.fields import Field, smooth_field, soft_step
from strokediff.phantom.variation import Dura

Point = tuple[float, float, float]

GALEN: Point = (0.0, -46.0, 2.0)
TORCULA: Point = (0.0, -94.0, -14.0)
ARTERIES: tuple[tuple[Point, Point], ...] = (
    ((0.0, -16.0, -40.0), (0.0, -18.0, -14.0)),
    ((0.0, -18.0, -14.0), (14.0, -24.0, -8.0)),
    ((0.0, -18.0, -14.0), (-14.0, -24.0, -8.0)),
    ((10.0, 2.0, -16.0), (34.0, 4.0, -16.0)),
    ((-10.0, 2.0, -16.0), (-34.0, 4.0, -16.0)),
    ((9.0, -2.0, -30.0), (10.0, 2.0, -16.0)),
    ((-9.0, -2.0, -30.0), (-10.0, 2.0, -16.0)),
)
"""Basilar, posterior cerebral, middle cerebral and carotid arteries, MNI mm."""


def add_dura(hu: Field, atlas: Atlas, dura: Dura) -> Field:
    """Raise tentorium, sinuses and arteries towards the blood's HU, and plaques to their own."""
    inside = (atlas.depth < 0).astype(np.float32)
    vessels = np.maximum.reduce([sinuses(atlas, dura), *tubes(atlas, dura)]) * inside
    sheet = tentorium(atlas, dura) * inside
    hu = hu + dura.opacity * sheet * np.maximum(dura.blood_hu - 6 - hu, 0)
    hu = hu + dura.opacity * vessels * np.maximum(dura.blood_hu - hu, 0)
    for y, z, along, up, value in dura.plaques:
        shape = (1 - np.hypot((atlas.y - y) / along, (atlas.z - z) / up)) * min(along, up)
        plaque = soft_step(shape, 1.5) * soft_step(1.5 - np.abs(atlas.x), 1.5) * inside
        hu = hu + plaque * np.maximum(value - hu, 0)
    return np.asarray(hu, np.float32)


def tentorium(atlas: Atlas, dura: Dura) -> Field:
    """A tent from the transverse sinuses up to the straight one, open around the brain stem."""
    rng = np.random.default_rng([dura.seed, 0])
    x, y, z = np.abs(atlas.x), atlas.y, atlas.z
    ridge = TORCULA[2] + (GALEN[2] - TORCULA[2]) * np.clip((y - TORCULA[1]) / 48.0, 0, 1)
    edge = -25.0
    height = edge + (ridge - edge) * np.clip(1 - x / 62.0, 0, 1)
    height = height + 2.0 * smooth_field(rng, (*height.shape[:2], 1), 25.0)
    notch = 22.0 * np.sqrt(np.clip((y + 48.0) / 22.0, 0, 1))
    sheet = soft_step(dura.tentorium_mm / 2 - 0.8 * np.abs(z - height), 1.2)
    open_ = soft_step(x - notch, 3.0) * soft_step(-26.0 - y, 6.0)
    brain = np.clip(atlas.grey + atlas.white, 0, 1)
    return np.asarray(sheet * open_ * (1 - 0.4 * brain), np.float32)


def sinuses(atlas: Atlas, dura: Dura) -> Field:
    """Superior sagittal and transverse sinus and the torcula, along the inner table."""
    x, y, z, depth = atlas.x, atlas.y, atlas.z, atlas.depth
    r = dura.sagittal_mm
    sagittal = soft_step(r + 0.8 * depth - np.abs(x), 1.5) * (depth > -1.3 * r)
    out = sagittal * soft_step(np.maximum(z - 20, -y - 70), 8) * (z > -18)
    for side, r in zip((-1.0, 1.0), dura.transverse_mm, strict=True):
        course = soft_step(r - np.abs(z + 20 + 0.08 * (y + 80)), 2) * soft_step(r + depth, 1.5)
        out = np.maximum(out, course * (y < -45) * (side * x > 0))
    r = dura.torcula_mm
    torcula = soft_step(r - np.hypot(x, z - TORCULA[2]), 2) * soft_step(r + depth, 1.5) * (y < -70)
    return np.asarray(np.maximum(out, torcula), np.float32)


def tubes(atlas: Atlas, dura: Dura) -> list[Field]:
    """Straight sinus, vein of Galen, sigmoid sinuses and the large arteries of the base."""
    left, right = dura.transverse_mm
    return [
        tube(atlas, GALEN, TORCULA, dura.straight_mm),
        tube(atlas, GALEN, (0.0, -40.0, 6.0), 1.3 * dura.straight_mm),
        tube(atlas, (-60.0, -48.0, -26.0), (-47.0, -44.0, -48.0), left),
        tube(atlas, (60.0, -48.0, -26.0), (47.0, -44.0, -48.0), right),
        *(tube(atlas, a, b, dura.arteries_mm) for a, b in ARTERIES),
    ]


def tube(atlas: Atlas, start: Point, end: Point, radius: float) -> Field:
    """Soft mask of all that lies within `radius` of a straight line."""
    a, b = np.array(start), np.array(end)
    axes = [axis.ravel() for axis in (atlas.x, atlas.y, atlas.z)]
    box = tuple(
        slice(*np.searchsorted(axis, (min(p, q) - radius - 2, max(p, q) + radius + 2)))
        for axis, p, q in zip(axes, a, b, strict=True)
    )
    points = np.stack(
        np.meshgrid(*(axis[s] for axis, s in zip(axes, box, strict=True)), indexing="ij"), axis=-1
    )
    along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    distance = np.linalg.norm(points - a - along[..., None] * (b - a), axis=-1)
    out = np.zeros(atlas.shape, np.float32)
    out[box] = soft_step(radius - distance, 1.2)
    return out
