"""A procedural skull, face and scalp around the template brain: soft shapes in MNI mm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.phantom.anatomy import Atlas
from strokediff.phantom.fields import Field, smooth_field, soft_step, upsample
from strokediff.phantom.params import DrawnHead

FAR_MM = 12.0
AIR, FAT, MUSCLE, SKIN, GLOBE, LENS = -1000.0, -85.0, 52.0, 20.0, 12.0, 75.0


class Shapes(NamedTuple):
    """Signed distances in mm, positive inside, of the voxels `where` there may be a head.

    `depth` is the atlas's (positive outside the inner table); `temporalis` and `low` (0 ... 1)
    tell where the temporal muscle and the skull base are.
    """

    face: Field
    base: Field
    air: Field
    mastoid: Field
    orbit: Field
    globe: Field
    lens: Field
    canal: Field
    depth: Field
    temporalis: Field
    low: Field
    where: NDArray[np.bool_]


class ProceduralHead:
    """Skull of given thickness around the cavity; a face with orbits and sinuses below it."""

    def __init__(self) -> None:
        self._shapes: Shapes | None = None

    def paint(self, atlas: Atlas, subject: DrawnHead) -> Field:
        """HU on the atlas grid: air, scalp, bone, orbits, sinuses, neck."""
        shapes = self._shapes = self._shapes or build_shapes(atlas)
        rng = np.random.default_rng([subject.seed, 1])
        depth, low, temporalis = shapes.depth, shapes.low, shapes.temporalis

        def field(length: float) -> Field:
            return smooth_field(rng, atlas.shape, length)[shapes.where]

        skull = subject.skull_mm * (1 + 0.16 * field(40.0))
        skull = np.maximum(skull * (1 - 0.45 * low), 2.5)
        scalp = subject.scalp_mm * (1 + 0.2 * field(50.0))
        skin = np.maximum(skull + scalp + 7.0 * temporalis - depth, shapes.face)

        mottle = field(7.0)
        soft = np.where(mottle > 0.35, np.float32(FAT), np.float32(MUSCLE))
        under_skin = soft_step(5.0 - skin, 2.0)
        muscle_scalp = soft_step(temporalis - 0.3, 0.4)
        near = soft_step(skull + scalp - 0.5 - depth, 2.0) * (1 - low)
        soft = soft + near * ((1 - muscle_scalp) * (FAT - soft) + muscle_scalp * (MUSCLE - soft))
        soft = soft + under_skin * (1 - near) * (FAT - soft)
        soft = soft + soft_step(1.6 - skin) * (SKIN - soft)
        hu: Field = AIR + soft_step(skin) * (soft - AIR)

        hu = self._bone(hu, subject, shapes, skull, mottle)
        hu = blend(hu, soft_step(shapes.orbit), FAT)
        hu = blend(hu, soft_step(shapes.globe), GLOBE)
        hu = blend(hu, soft_step(shapes.lens), LENS)
        cells = soft_step(field(4.0) - 0.05, 0.5) * soft_step(shapes.mastoid, 3.0)
        hu = blend(hu, np.maximum(soft_step(shapes.air), cells), AIR)
        hu = blend(hu, soft_step(shapes.canal), subject.csf_hu + 10)
        hu = blend(hu, soft_step(shapes.canal - 4.0), subject.grey_hu - 3)
        out = np.full(atlas.shape, AIR, dtype=np.float32)
        out[shapes.where] = hu
        return out

    @staticmethod
    def _bone(hu: Field, subject: DrawnHead, shapes: Shapes, skull: Field, mottle: Field) -> Field:
        """Two tables with diploe between them; the base and the walls of sinuses are solid."""
        middle = shapes.depth - skull / 2
        diploe = soft_step(skull / 2 - 1.7 - np.abs(middle), 1.0) * soft_step(skull - 5.0, 2.0)
        vault = subject.bone_hu + diploe * (subject.diploe_hu + 90 * mottle - subject.bone_hu)
        hu = blend(hu, soft_step(skull / 2 - np.abs(middle)), vault)
        cavities = np.maximum(shapes.air, shapes.orbit)
        walls = soft_step(cavities + 1.8) * soft_step(shapes.face - 6.0, 2.0)
        solid = np.maximum(soft_step(shapes.base), walls * (shapes.canal < -2))
        return blend(hu, solid, 0.75 * subject.bone_hu + 160 * mottle)


def blend(hu: Field, weight: Field, value: Field | float) -> Field:
    """Replace `weight` of each voxel with `value`."""
    return hu + weight * (value - hu)


def temporal_muscle(atlas: Atlas) -> Field:
    """Where the temporal muscle thickens the scalp, 0 ... 1."""
    bump = ((atlas.y - 22) / 34) ** 2 + ((atlas.z + 12) / 30) ** 2
    return np.asarray(np.exp(-(bump**2)) * (np.abs(atlas.x) > 40), dtype=np.float32)


def ellipsoid_distance(
    atlas: Atlas,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    mirrored: bool = False,
) -> Field:
    """Approximate signed distance of an ellipsoid, positive inside; optionally on both sides.

    Beyond `FAR_MM` from it the value is -FAR_MM: nothing depends on it there.
    """
    out = np.full(atlas.shape, -FAR_MM, dtype=np.float32)
    axes = [np.abs(atlas.x) if mirrored else atlas.x, atlas.y, atlas.z]
    reach = 1 + FAR_MM / min(radii)
    near = np.ix_(
        *(
            np.flatnonzero(np.abs(axis.ravel() - c) <= r * reach)
            for axis, c, r in zip(axes, centre, radii, strict=True)
        )
    )
    x, y, z = axes[0][near[0].ravel()], axes[1][:, near[1].ravel()], axes[2][:, :, near[2].ravel()]
    r = np.sqrt(
        ((x - centre[0]) / radii[0]) ** 2
        + ((y - centre[1]) / radii[1]) ** 2
        + ((z - centre[2]) / radii[2]) ** 2
    )
    out[near] = np.maximum((1 - r) * min(radii), -FAR_MM)
    return out


def _union(*shapes: Field) -> Field:
    """Union of signed distances that are positive inside."""
    out = shapes[0]
    for shape in shapes[1:]:
        out = np.maximum(out, shape)
    return out


def build_shapes(atlas: Atlas) -> Shapes:
    """Face, skull base, sinuses, orbits, spinal canal."""
    rng = np.random.default_rng(7)
    bumps = upsample(
        ndimage.gaussian_filter(
            rng.standard_normal([n // 4 + 1 for n in atlas.shape], dtype=np.float32), 1.2
        ),
        atlas.shape,
    )
    face = _union(
        ellipsoid_distance(atlas, (0, 42, -62), (66, 52, 62)),
        ellipsoid_distance(atlas, (0, 78, -58), (36, 26, 44)),
        ellipsoid_distance(atlas, (0, 98, -62), (11, 16, 22)),
        ellipsoid_distance(atlas, (0, -35, -88), (72, 66, 60)),
        ellipsoid_distance(atlas, (76, -18, -40), (14, 9, 20), mirrored=True),
    )
    petrous = _union(
        ellipsoid_distance(atlas, (42, -26, -42), (26, 11, 11), mirrored=True),
        ellipsoid_distance(atlas, (24, -18, -40), (16, 8, 9), mirrored=True),
        ellipsoid_distance(atlas, (56, -34, -50), (15, 16, 18), mirrored=True),
    )
    base = _union(
        petrous,
        ellipsoid_distance(atlas, (0, -8, -42), (13, 8, 20)),
        ellipsoid_distance(atlas, (0, 8, -26), (9, 6, 9)),
        ellipsoid_distance(atlas, (44, 26, -34), (7, 20, 20), mirrored=True),
        ellipsoid_distance(atlas, (40, 36, -64), (14, 14, 10), mirrored=True),
        ellipsoid_distance(atlas, (0, 60, -92), (36, 26, 14)),
        ellipsoid_distance(atlas, (0, -44, -92), (40, 26, 12)),
    )
    sinuses = _union(
        ellipsoid_distance(atlas, (0, 22, -40), (13, 12, 9)),
        ellipsoid_distance(atlas, (7, 48, -38), (6, 24, 12), mirrored=True),
        ellipsoid_distance(atlas, (27, 46, -66), (15, 17, 16), mirrored=True),
        ellipsoid_distance(atlas, (9, 78, -18), (9, 4, 9), mirrored=True),
        ellipsoid_distance(atlas, (6, 52, -68), (5, 34, 18), mirrored=True),
        ellipsoid_distance(atlas, (0, 0, -84), (11, 12, 24)),
    )
    mastoid = _union(
        ellipsoid_distance(atlas, (54, -36, -48), (12, 14, 16), mirrored=True),
        ellipsoid_distance(atlas, (44, -24, -42), (6, 5, 5), mirrored=True),
    )
    orbit = _union(
        ellipsoid_distance(atlas, (32, 62, -36), (17, 19, 16), mirrored=True),
        ellipsoid_distance(atlas, (24, 42, -34), (11, 20, 11), mirrored=True),
    )
    across = np.sqrt(atlas.x**2 + (atlas.y + 46 + 0.15 * (atlas.z + 64)) ** 2)
    canal = np.asarray(np.minimum(11.0 - across, -58 - atlas.z), dtype=np.float32)
    full = {
        "face": face + 2.5 * bumps,
        "base": base + 5.0 * bumps,
        "air": sinuses + 4.0 * bumps,
        "mastoid": mastoid,
        "orbit": orbit,
        "globe": ellipsoid_distance(atlas, (33, 70, -36), (12, 12, 12), True),
        "lens": ellipsoid_distance(atlas, (33, 79, -36), (4.5, 2.2, 4.5), True),
        "canal": canal,
        "depth": atlas.depth,
        "temporalis": temporal_muscle(atlas),
        "low": soft_step(-22.0 - atlas.z - 0.25 * atlas.y, 16.0),
    }
    where = (atlas.depth > -1.5) & ((full["face"] > -2) | (atlas.depth < 30))
    gathered = {name: np.broadcast_to(data, where.shape)[where] for name, data in full.items()}
    return Shapes(**gathered, where=where)
