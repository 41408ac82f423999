"""Blobs in tissue, layers inside the inner table, and how they push the brain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.phantom.anatomy import pad_to
from strokediff.phantom.backgrounds.head import COARSE, Head
from strokediff.phantom.fields import Field, smooth_field, soft_step, upsample
from strokediff.phantom.lesions import at_volume, largest_parts

Rng = np.random.Generator
PUSH_MM = 12.0


def pick(weight: NDArray[Any], rng: Rng) -> tuple[int, int, int]:
    """A voxel, with probability proportional to its weight."""
    total = np.cumsum(np.clip(weight, 0, None).ravel().astype(np.float64))
    at = int(np.searchsorted(total, rng.random() * total[-1], side="right"))
    i, j, k = np.unravel_index(min(at, weight.size - 1), weight.shape)
    return int(i), int(j), int(k)


def refined(coarse: Field, shape: tuple[int, ...]) -> Field:
    """A field of the coarse grid on the fine one."""
    fine = upsample(coarse, tuple(COARSE * (n - 1) + 1 for n in coarse.shape))
    return np.asarray(pad_to(fine[tuple(slice(n) for n in shape)], shape))


def tissue_of(head: Head) -> Field:
    """Brain tissue without fluid, soft, on the fine grid."""
    fluid = head.grid.to_fine(head.fluid)
    return np.asarray(np.clip(1 - 1.2 * fluid, 0, 1) * np.clip(head.depth / 1.5, 0, 1))


def blob(
    head: Head,
    region: Field,
    volume_ml: float,
    rng: Rng,
    *,
    irregularity: float,
    edge_mm: float,
    tissue: Field | None = None,
) -> Field:
    """A lump of `volume_ml` round a random place of a coarse `region`, on the fine grid.

    Its level is -|r - c| roughened by two random fields, in mm, lowered outside the region and
    outside tissue, and shifted until it encloses the volume.
    """
    spacing = np.array(head.grid.spacing_mm)
    radius = (3000.0 * volume_ml / (4.0 * np.pi)) ** (1.0 / 3.0)
    weight = np.where(head.coarse.tissue > 0.6, region, 0.0) ** 2
    centre = np.array(pick(weight + 1e-9, rng)) * COARSE
    half = np.ceil((3.5 * radius + 8.0) / spacing).astype(int)
    box = tuple(
        slice(max(int(c - h), 0), min(int(c + h) + 1, n))
        for c, h, n in zip(centre, half, head.depth.shape, strict=True)
    )
    stretch = np.exp(rng.normal(0, 0.17, 3))
    stretch /= np.prod(stretch) ** (1 / 3)
    axes = np.ogrid[box]
    squares = [
        ((a - c) * s / e) ** 2 for a, c, s, e in zip(axes, centre, spacing, stretch, strict=True)
    ]
    distance = np.sqrt(squares[0] + squares[1] + squares[2]).astype(np.float32)
    mean = float(spacing.mean())
    large = smooth_field(rng, distance.shape, max(radius, 5.0) / mean)
    small = smooth_field(rng, distance.shape, max(0.35 * radius, 2.5) / mean)
    level = -distance + irregularity * radius * (0.6 * large + 0.35 * small)
    inside = (tissue_of(head) if tissue is None else tissue)[box]
    allowed = refined(region, head.depth.shape)[box]
    level = level - 1.5 * radius * (1 - allowed) - 12.0 * np.clip(0.75 - inside, 0, 1)
    level = np.where(head.depth[box] > 0, level, -99.0)
    voxel_mm = float(head.grid.voxel_ml * 1000.0) ** (1 / 3)
    level = at_volume(level, volume_ml, voxel_mm)
    stray = (level > 0) & ~largest_parts(level > 0)
    level = at_volume(np.where(stray, -99.0, level), volume_ml, voxel_mm)
    soft = soft_step(level, edge_mm)
    mask = np.zeros(head.depth.shape, dtype=np.float32)
    mask[box] = soft * soft * (3 - 2 * soft) * np.clip(head.depth[box] + 0.5, 0, 1)
    return mask


def ball(head: Head, centre_mm: tuple[float, float, float], radius_mm: float) -> Field:
    """1 at a point in MNI mm, falling like a Gaussian, on the coarse grid."""
    x, y, z = head.coarse.x, head.coarse.y, head.coarse.z
    square = (x - centre_mm[0]) ** 2 + (y - centre_mm[1]) ** 2 + (z - centre_mm[2]) ** 2
    return np.asarray(np.exp(-square / (2 * radius_mm**2)), dtype=np.float32)


def pushed(head: Head, mask: Field, amount_mm: float) -> Field:
    """How a lump pushes its surroundings: vectors (2, I, J, K) to the lump, at most `amount_mm`.

    They are added to where is looked up, so tissue moves away; at the skull it stays.
    """
    spacing = head.grid.spacing_mm
    slices = head.grid.to_slices(mask)
    across = spacing[2] * head.grid.subs
    sigma = (PUSH_MM / spacing[0], PUSH_MM / spacing[1], PUSH_MM / across)
    smooth = ndimage.gaussian_filter(slices, sigma)
    gradient = np.stack(np.gradient(smooth, spacing[0], spacing[1], across))
    size = float(np.sqrt((gradient**2).sum(axis=0)).max())
    fade = np.clip(head.grid.to_slices(head.depth) / 10.0, 0, 1)
    return np.asarray(gradient[:2] * (amount_mm / max(size, 1e-9)) * fade, dtype=np.float32)


def outward(head: Head) -> Field:
    """Unit vectors (2, I, J, K) in the plane to the inner table."""
    spacing = head.grid.spacing_mm
    depth = ndimage.gaussian_filter(head.grid.to_slices(head.depth), (4, 4, 0.5))
    across = spacing[2] * head.grid.subs
    gradient = -np.stack(np.gradient(depth, spacing[0], spacing[1], across))
    size = np.sqrt((gradient**2).sum(axis=0))
    return np.asarray(gradient[:2] / np.maximum(size, 0.3), dtype=np.float32)


def pressed(head: Head, thickness_mm: Field, share: float) -> Field:
    """How a layer of that thickness (fine) presses the brain in, fading over some 35 mm."""
    thickness = share * head.grid.to_slices(thickness_mm)
    depth = head.grid.to_slices(head.depth)
    thickness = ndimage.gaussian_filter(thickness, (3, 3, 0.5))
    reach = 1 - np.clip((depth - thickness) / 40.0, 0, 1)
    shift = np.clip(np.minimum(thickness * reach, depth - 1.5), 0, None)
    return np.asarray(outward(head) * shift, dtype=np.float32)


def threshold_for(native: Field, volume_ml: float, voxel_ml: float) -> float:
    """The level whose voxels hold `volume_ml`, but between a quarter and 0.6."""
    count = int(np.clip(round(volume_ml / voxel_ml), 1, native.size - 1))
    level = float(np.partition(native.ravel(), native.size - count)[native.size - count])
    return float(np.clip(level, 0.25, 0.6))


def at_share(mask: NDArray[np.floating], head: Head) -> float:
    """Volume of a soft fine mask in mL."""
    return float(mask.sum(dtype=np.float64)) * head.grid.voxel_ml
