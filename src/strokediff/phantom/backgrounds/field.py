"""The field that is added to a scan: its own noise, texture and edges stay.

x' = x(r + u) + d + m (v + n - x(r + u)), where u pushes, d is added, blood of v HU fills the share
m of a voxel, and n is the scan's own noise there: what is left of x without its smooth part, its
outliers (the edges that the blood covers) pressed together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.phantom.backgrounds.effects import Effect, Finding, Shape
from strokediff.phantom.backgrounds.head import Head
from strokediff.phantom.backgrounds.shapes import threshold_for
from strokediff.phantom.fields import Field
from strokediff.phantom.lesions import LesionShapes

EDGES_SD, EDGES_KEPT, BONE_HU = 2.0, 0.15, 90.0
MOVED_MM = 0.02


@dataclass(frozen=True)
class Made:
    """`hu` and `label` native, in the grid's box; `volumes_ml` of each finding's label."""

    hu: Field
    label: NDArray[np.uint8]
    volumes_ml: tuple[float, ...]


def put(head: Head, findings: tuple[Finding, ...], outlines: LesionShapes | None) -> Made:
    """Put findings into a head."""
    shapes = [finding.shape(head, outlines) for finding in findings]
    lookup = pushes(shapes)
    seen = head if lookup is None else head.moved(lookup)
    before = head.hu if lookup is None else warped(head, lookup)
    effects = [f.effect(seen, shape) for f, shape in zip(findings, shapes, strict=True)]
    return Made(apply(head, before, effects), *labels(head, findings, effects))


def pushes(shapes: list[Shape]) -> Field | None:
    """The sum of all displacements (2, I, J, K) in mm; None if nothing moves."""
    moving = [shape.push for shape in shapes if shape.push is not None]
    if not moving or max(float(np.abs(push).max()) for push in moving) < MOVED_MM:
        return None
    total = moving[0]
    for push in moving[1:]:
        total = total + push
    return total


def warped(head: Head, lookup: Field) -> Field:
    """The scan looked up elsewhere, cubic in the plane, so that its noise stays; bone stays."""
    import torch
    from torch.nn.functional import grid_sample

    out = head.hu.copy()
    pixel = [size / head.grid.block for size in head.grid.spacing_mm[:2]]
    for k in np.flatnonzero(np.abs(lookup).max(axis=(0, 1, 2)) > MOVED_MM):
        moved = np.stack([head.grid.to_native(lookup[a, :, :, k : k + 1]) for a in (0, 1)])[..., 0]
        where = np.abs(moved).max(axis=0) > MOVED_MM
        n = where.shape
        at = [
            2 * (np.arange(n[a], dtype=np.float32).reshape((-1, 1) if a == 0 else (1, -1)))
            + 2 * moved[a] / pixel[a]
            for a in (0, 1)
        ]
        points = np.stack([at[1] / (n[1] - 1) - 1, at[0] / (n[0] - 1) - 1], axis=-1)
        image = torch.from_numpy(np.clip(head.hu[None, None, :, :, k], -100, 200))
        seen = grid_sample(
            image,
            torch.from_numpy(points[None].astype(np.float32)),
            mode="bicubic",
            padding_mode="border",
            align_corners=True,
        )[0, 0].numpy()
        soft = where & (head.hu[:, :, k] < BONE_HU) & (seen < BONE_HU)
        out[:, :, k][soft] = seen[soft]
    return out


def apply(head: Head, before: Field, effects: list[Effect]) -> Field:
    """HU native with all effects, within the scan's window."""
    hu = before.copy()
    added = [effect.add for effect in effects if effect.add is not None]
    if added:
        soft = head.inside | (before < BONE_HU)
        hu += head.grid.to_native(np.sum(added, axis=0)) * soft
    rest: Field | None = None
    for effect in effects:
        if effect.share is None or effect.value is None or effect.share.max() <= 0:
            continue
        rest = own_noise(head) if rest is None else rest
        share = head.grid.to_native(effect.share)
        filled = hu + share * (head.grid.to_native(effect.value) + rest - hu)
        hu = np.where(head.inside, filled, np.maximum(hu, filled))
    changed = np.abs(hu - head.hu) > 1e-3
    low, high = head.limits
    cut = np.where((head.hu >= low) & (head.hu <= high), np.clip(hu, low, high), hu)
    return np.where(changed, cut, head.hu).astype(np.float32)


def own_noise(head: Head) -> Field:
    """What is left of the scan without its smooth part; beyond 2 standard deviations little."""
    rest = head.hu - head.grid.to_native(head.local)
    bound = EDGES_SD * head.noise_hu
    over = np.abs(rest) - bound
    limited = np.sign(rest) * (bound + EDGES_KEPT * np.minimum(over, 4 * bound))
    return np.where(over > 0, limited, rest).astype(np.float32)


def labels(
    head: Head, findings: tuple[Finding, ...], effects: list[Effect]
) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """The label map, haemorrhage over infarct, and the volume of each finding's part."""
    label = np.zeros(head.hu.shape, dtype=np.uint8)
    voxel = head.grid.voxel_ml * head.grid.subs / head.grid.block**2
    volumes = [0.0] * len(findings)
    order = sorted(range(len(findings)), key=lambda i: findings[i].label)
    for i in order:
        truth = effects[i].truth
        if truth is None or effects[i].volume_ml <= 0:
            continue
        native = head.grid.to_native(truth) * head.inside
        marked = native >= threshold_for(native, effects[i].volume_ml, voxel)
        volumes[i] = round(float(np.count_nonzero(marked)) * voxel, 4)
        label[marked] = findings[i].label
    return label, tuple(volumes)
