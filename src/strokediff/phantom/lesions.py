"""DrawnLesion shapes on the atlas grid: thresholded random fields inside vascular territories."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.phantom.anatomy import Atlas, CoarseAtlas, pad_to
from strokediff.phantom.fields import Field, smooth_field, soft_step, upsample
from strokediff.phantom.params import DrawnLesion


class LesionShapes(Protocol):
    """Where the outline of a lesion comes from."""

    @property
    def name(self) -> str:
        """What `cohort.json` calls it."""
        ...

    def shape(self, lesion: DrawnLesion, atlas: Atlas) -> Field:
        """Soft mask (X, Y, Z) in [0, 1] on the atlas grid; 0.5 is the outline."""
        ...


class ProceduralShapes:
    """A blob around a seed in a territory, roughened by random fields, of the wanted volume."""

    name = "procedural"

    def shape(self, lesion: DrawnLesion, atlas: Atlas) -> Field:
        """Soft mask whose 0.5 level encloses `lesion.volume_ml` at the template's scale."""
        coarse = atlas.coarse(2)
        rng = np.random.default_rng(lesion.seed)
        region = territory(lesion.territory, lesion.side, coarse, rng)
        level = blob(lesion, coarse, region, rng)
        keep = largest_parts(level > 0)
        level = np.where(keep | ~(level > 0), level, -level).astype(np.float32)
        return level_to_mask(level, lesion.edge_mm, atlas)


def level_to_mask(level_mm: Field, edge_mm: float, atlas: Atlas) -> Field:
    """Soft mask from a level in mm (positive inside) on the 2 mm grid."""
    odd = tuple(2 * n - 1 for n in level_mm.shape)
    fine = upsample(level_mm, odd)[tuple(slice(n) for n in atlas.shape)]
    mask = soft_step(pad_to(fine, atlas.shape), edge_mm)
    return mask * mask * (3 - 2 * mask)


def blob(lesion: DrawnLesion, atlas: CoarseAtlas, region: Field, rng: np.random.Generator) -> Field:
    """Level in mm, positive inside: -|x - c| + roughness, penalised outside region and tissue."""
    radius = (3000.0 * lesion.volume_ml / (4.0 * np.pi)) ** (1.0 / 3.0)
    weight = np.where(atlas.tissue > 0.6, region, 0.0).ravel().astype(np.float64) ** 2
    index = int(np.searchsorted(np.cumsum(weight), rng.random() * weight.sum()))
    i, j, k = np.unravel_index(min(index, weight.size - 1), region.shape)
    offset = [
        axis - axis.ravel()[at]
        for axis, at in zip((atlas.x, atlas.y, atlas.z), (i, j, k), strict=True)
    ]
    stretch = np.exp(rng.normal(0, 0.22, 3))
    stretch /= np.prod(stretch) ** (1 / 3)
    distance = np.sqrt(sum((o / s) ** 2 for o, s in zip(offset, stretch, strict=True)))
    shape, mm = region.shape, atlas.voxel_mm
    large = smooth_field(rng, shape, max(radius, 6.0) / mm)
    small = smooth_field(rng, shape, max(0.35 * radius, 4.0) / mm)
    level = -distance + lesion.irregularity * radius * (0.6 * large + 0.35 * small)
    level -= 1.5 * radius * (1 - region) + 12.0 * np.clip(0.75 - atlas.tissue, 0, 1)
    return at_volume(level, lesion.volume_ml, mm)


def at_volume(level: Field, volume_ml: float, voxel_mm: float) -> Field:
    """Shift a level so that its zero encloses the volume."""
    count = max(round(volume_ml * 1000.0 / voxel_mm**3), 1)
    flat = level.ravel()
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    return np.asarray(level - threshold, dtype=np.float32)


def largest_parts(mask: NDArray[np.bool_], fraction: float = 0.08) -> NDArray[np.bool_]:
    """The largest component and those at least `fraction` of its size."""
    labels, n = ndimage.label(mask)
    if n <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, np.flatnonzero(sizes >= fraction * sizes.max()))


def territory(name: str, side: int, atlas: CoarseAtlas, rng: np.random.Generator) -> Field:
    """Soft region of an artery (or site of a bleed) on one side; its borders vary by 5 mm."""
    shape = atlas.tissue.shape
    half = soft_step(atlas.x * side - 2.0, 6.0)
    x, y, z = (
        axis + 5.0 * smooth_field(rng, shape, 22.0 / atlas.voxel_mm)
        for axis in (atlas.x * side, atlas.y, atlas.z)
    )
    lower = soft_step(-y - 36.0, 8.0) * soft_step(-14.0 - z + 0.25 * (y + 40), 6.0)
    medial = soft_step(22.0 + 0.10 * np.abs(z) - x, 10.0)
    behind = soft_step(-y - 52.0 - 0.35 * (x - 20), 10.0)
    posterior = np.maximum(behind * soft_step(36.0 - z, 14), medial_temporal(x, y, z))
    anterior = medial * (1 - behind) * soft_step(z + 12.0 - 0.2 * y, 10)
    deep = ellipsoid(x, y, z, (24, 0, 4), (15, 24, 19))
    thalamus = ellipsoid(x, y, z, (12, -19, 7), (10, 13, 10))
    brainstem = ellipsoid(x, y, z, (4, -26, -32), (13, 13, 24))
    region: Field
    if name == "mca":
        region = (1 - posterior) * (1 - anterior) * (1 - lower) * soft_step(x - 14, 8)
        region = region * (1 - brainstem)
    elif name in ("mca_deep", "putamen"):
        region = deep
    elif name == "pca":
        region = np.maximum(posterior * (1 - lower), 0.5 * thalamus)
    elif name == "aca":
        region = anterior * (1 - lower) * (1 - brainstem) * (1 - thalamus)
    elif name == "cerebellum":
        region = lower
    elif name == "thalamus":
        region = thalamus
    elif name == "lacune":
        corona = ellipsoid(x, y, z, (24, -12, 26), (10, 34, 10))
        region = np.maximum.reduce([deep, thalamus, corona, 0.7 * brainstem])
    elif name == "lobar":
        region = soft_step(np.sqrt(x**2 + (y * 0.75) ** 2 + z**2) - 38, 10) * (1 - lower)
    else:
        raise ValueError(f"unknown territory '{name}'")
    return np.asarray(region * half * np.ones_like(atlas.tissue), dtype=np.float32)


def medial_temporal(x: Field, y: Field, z: Field) -> Field:
    """The part of the temporal lobe that the posterior cerebral artery feeds."""
    return soft_step(34.0 - x, 8) * soft_step(-y - 14, 8) * soft_step(-2 - z, 8)


def ellipsoid(
    x: Field, y: Field, z: Field, centre: tuple[float, ...], radii: tuple[float, ...]
) -> Field:
    """Soft ellipsoid with a rim of about 4 mm."""
    r = np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip((x, y, z), centre, radii, strict=True)))
    return soft_step((1 - r) * min(radii), 4.0)


def ventricular_blood(lesion: DrawnLesion, atlas: Atlas) -> Field:
    """Blood that settles in the dependent part of the ventricle on the lesion's side."""
    rng = np.random.default_rng([lesion.seed, 2])
    fill = lesion.ventricular
    field = 6 * smooth_field(rng, atlas.shape, 24.0)
    back = soft_step((fill - 0.5) * 70 - 14 - atlas.y + field, 8)
    near = soft_step(lesion.side * atlas.x + (25 if fill > 0.5 else 4), 4)
    return np.asarray(soft_step(atlas.ventricle - 0.5, 0.4) * back * near, dtype=np.float32)
