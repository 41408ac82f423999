"""Blood between the brain and its coverings: epidural lenses, subdural crescents and sheets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from strokediff.phantom.backgrounds.effects import LABELS, Effect, Shape
from strokediff.phantom.backgrounds.head import Head
from strokediff.phantom.backgrounds.parenchymal import blood_hu
from strokediff.phantom.backgrounds.shapes import at_share, pick, pressed
from strokediff.phantom.fields import Field, smooth_field, soft_step
from strokediff.phantom.lesions import LesionShapes
from strokediff.phantom.params import draw_one, draw_seed, draw_volume
from strokediff.util.kinds import HAEMORRHAGE

UNDER_BONE_MM = 1.5
"""How far beyond the brain mask, into the gap under the bone, blood reaches."""


def tentorium_mm(x: Field, y: Field) -> Field:
    """Height of the tentorium in MNI mm: down to the sides and to the back."""
    return np.asarray(4.0 - 0.24 * np.clip(-45.0 - y, 0, None) - 0.34 * np.abs(x))


def vault(head: Head, side: int) -> NDArray[np.bool_]:
    """Coarse voxels just under the bone of one side's vault, above the tentorium."""
    coarse = head.coarse
    x, y, z = coarse.x * side, coarse.y, coarse.z
    under = (head.coarse_depth > 0) & (head.coarse_depth < 4.0)
    above = (z > tentorium_mm(x, y) + 6) | ((y > -28) & (z > -38))
    base = (z < 5) & (y > 15)  # over the orbits the inner table is no smooth wall
    return np.asarray(under & above & ~base & (x > 22))


def usual(z: Field) -> Field:
    """How often bleeds under the vault have their middle at a height in MNI mm."""
    return np.asarray(np.exp(-(((z - 8.0) / 26.0) ** 2) / 2))


def lateral(x: Field, z: Field) -> Field:
    """Soft: one side of the falx; at the skull's base its outer wall only."""
    return soft_step(x - 3.0 - np.clip(-z, 0.0, 15.0) * 1.7, 3.0)


def layer(head: Head, thickness_mm: Field) -> Field:
    """Everything from the bone to that depth, soft."""
    inner = soft_step(thickness_mm - head.depth) * (thickness_mm > 0.3)
    return np.asarray(inner * soft_step(head.depth + UNDER_BONE_MM), dtype=np.float32)


def from_centre(head: Head, centre: tuple[int, int, int]) -> tuple[Field, Field, Field]:
    """Head mm along the MNI axes from a coarse voxel, on the fine grid."""
    scale = np.linalg.norm(head.mni[:3, :3], axis=1)
    places = (head.coarse.x, head.coarse.y, head.coarse.z)
    x, y, z = (
        np.asarray((c - p[centre]) / s, dtype=np.float32)
        for c, p, s in zip(head.coordinates, places, scale, strict=True)
    )
    return x, y, z


@dataclass(frozen=True, kw_only=True)
class Epidural:
    """A lens under the inner table; `bulge` is its thickness over its radius."""

    name: ClassVar[str] = "epidural"
    label: ClassVar[int] = LABELS[HAEMORRHAGE]
    side: int
    volume_ml: float
    bulge: float
    clot_hu: float
    uneven_hu: float
    swirl: float
    press: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Epidural:
        """From slips of a few mm to lenses that push the brain over."""
        return cls(
            side=int(rng.choice((-1, 1))),
            volume_ml=draw_volume(rng, 7.0, 1.3, 0.3, 110.0),
            bulge=float(rng.uniform(0.18, 0.5)),
            clot_hu=float(np.clip(rng.normal(59, 8), 42, 78)),
            uneven_hu=float(rng.uniform(1.5, 5)),
            swirl=float(rng.uniform(8, 25)) if rng.random() < 0.25 else 0.0,
            press=float(rng.uniform(0.5, 1.0)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """t = T (1 - (d / R)^2), T and R of the drawn volume."""
        rng = np.random.default_rng(self.seed)
        weight = vault(head, self.side) * usual(head.coarse.z)
        x, y, z = from_centre(head, pick(weight, rng))
        radius = (2000.0 * self.volume_ml / (np.pi * self.bulge)) ** (1 / 3)
        ratio = float(np.exp(rng.normal(0, 0.15)))
        square = (x**2 + (y / ratio) ** 2 + (z * ratio) ** 2) / radius**2
        rough = 1 + 0.12 * smooth_field(rng, square.shape, 18.0)
        lens = np.clip(1 - square * rough, 0, None)
        lens = lens * lateral(self.side * head.coordinates[0], head.coordinates[2])
        thickness = self.bulge * radius * np.minimum(lens, 1)
        thickness = filled_to(head, thickness, self.volume_ml)
        return Shape(layer(head, thickness), pressed(head, thickness, self.press))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """Clot; a swirl of fresh blood is less dense."""
        share = head.grid.to_slices(shape.mask)
        value = blood_hu(self.seed, share.shape, self.clot_hu, self.uneven_hu, 10.0)
        rng = np.random.default_rng([self.seed, 2])
        value = value - self.swirl * np.clip(smooth_field(rng, share.shape, 9.0) - 0.4, 0, 1)
        return Effect(share=share, value=value, truth=share, volume_ml=inside_ml(head, shape.mask))


@dataclass(frozen=True, kw_only=True)
class Subdural:
    """A crescent over a hemisphere, or a sheet along the falx or the tentorium.

    `reach_mm` are its half axes along and up; `layered_hu` is how much denser its dependent part
    is, where blood of several ages has settled.
    """

    name: ClassVar[str] = "subdural"
    label: ClassVar[int] = LABELS[HAEMORRHAGE]
    place: str
    side: int
    thickness_mm: float
    reach_mm: tuple[float, float]
    clot_hu: float
    uneven_hu: float
    layered_hu: float
    press: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Subdural:
        """Mostly acute and thin; some are mixed, few are old and dark."""
        place = draw_one(rng, {"convexity": 0.78, "falx": 0.14, "tentorium": 0.08})
        median = 5.5 if place == "convexity" else 3.2
        age = draw_one(rng, {"acute": 0.74, "mixed": 0.16, "old": 0.1})
        old = {"acute": (59, 8), "mixed": (44, 5), "old": (20, 6)}[age]
        return cls(
            place=place,
            side=int(rng.choice((-1, 1))),
            thickness_mm=draw_volume(rng, median, 0.5, 2.0, 18.0 if place == "convexity" else 7.0),
            reach_mm=(float(rng.uniform(22, 70)), float(rng.uniform(16, 50))),
            clot_hu=float(np.clip(rng.normal(*old), 8, 75)),
            uneven_hu=float(rng.uniform(1.5, 5)),
            layered_hu=float(rng.uniform(8, 25)) if age == "mixed" else 0.0,
            press=float(rng.uniform(0.3, 0.9)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """t = T sqrt(1 - (y / a)^2 - (z / b)^2) for the crescent."""
        rng = np.random.default_rng(self.seed)
        if self.place == "falx":
            return Shape(self._along_falx(head, rng))
        if self.place == "tentorium":
            return Shape(self._along_tentorium(head, rng))
        x, y, z = from_centre(head, pick(vault(head, self.side) * usual(head.coarse.z), rng))
        long, high = self.reach_mm
        square = (y / long) ** 2 + (z / high) ** 2 + (x / 70.0) ** 2
        rough = 1 + 0.18 * smooth_field(rng, square.shape, 16.0)
        profile = np.sqrt(np.clip(1 - square * rough, 0, None))
        mni = head.coordinates
        beside = lateral(self.side * mni[0], mni[2])
        above = np.maximum(
            soft_step(mni[2] - tentorium_mm(mni[0], mni[1]) - 3.0, 4.0), mni[1] > -28
        )
        below = soft_step(58.0 - mni[2], 24.0)  # at the vertex a thick slice would be all blood
        thickness = self.thickness_mm * profile * rough * beside * above * below
        thickness = np.asarray(thickness, dtype=np.float32)
        return Shape(layer(head, thickness), pressed(head, thickness, self.press))

    def _along_falx(self, head: Head, rng: np.random.Generator) -> Field:
        x, y, z = head.coordinates
        middle = float(rng.uniform(-60, 45))
        long = self.reach_mm[0]
        rough = 1 + 0.25 * smooth_field(rng, x.shape, 14.0)
        extent = np.sqrt(np.clip(1 - ((y - middle) / (1.2 * long)) ** 2, 0, 1)) * rough
        deep = soft_step(34.0 - head.depth, 6.0) * soft_step(z - 12.0, 8.0)
        deep = deep * soft_step(58.0 - z, 16.0) * (head.depth > 0)
        half = 0.5 * self.thickness_mm * extent * deep * 1.15
        away = np.abs(self.side * x - 0.6 * half - 0.5)
        return np.asarray(soft_step(half - away, 1.5) * (half > 0.4), dtype=np.float32)

    def _along_tentorium(self, head: Head, rng: np.random.Generator) -> Field:
        x, y, z = head.coordinates
        rough = 1 + 0.25 * smooth_field(rng, x.shape, 14.0)
        beside = soft_step(self.side * x - 4.0, 6.0) * soft_step(48.0 - self.side * x, 6.0)
        behind = soft_step(-38.0 - y, 6.0) * soft_step(y + 90.0, 6.0) * (head.depth > 0)
        half = 0.5 * self.thickness_mm * rough * beside * behind * 1.15
        away = np.abs(z - tentorium_mm(x, y) - half)
        return np.asarray(soft_step(half - away, 1.5) * (half > 0.4), dtype=np.float32)

    def effect(self, head: Head, shape: Shape) -> Effect:
        """Blood, denser where it has settled."""
        share = head.grid.to_slices(shape.mask)
        value = blood_hu(self.seed, share.shape, self.clot_hu, self.uneven_hu, 8.0)
        if self.layered_hu and share.max() > 0:
            middle = float((share.sum(axis=(0, 2)) @ np.arange(share.shape[1])) / share.sum())
            at = (middle - np.arange(share.shape[1])) * head.grid.spacing_mm[1]
            value = value + self.layered_hu * soft_step(at, 6.0)[None, :, None]
        return Effect(share=share, value=value, truth=share, volume_ml=inside_ml(head, shape.mask))


def inside_ml(head: Head, mask: Field) -> float:
    """Volume of a soft mask within the brain mask, mL."""
    return at_share(mask * (head.depth > 0), head)


def filled_to(head: Head, thickness_mm: Field, volume_ml: float) -> Field:
    """Thickness scaled so that the layer has the volume: by the order of depth / thickness."""
    some = (thickness_mm > 0.05) & (head.depth > 0)
    ratio = head.depth[some] / thickness_mm[some]
    count = max(1, round(volume_ml / head.grid.voxel_ml))
    if count >= ratio.size:
        return thickness_mm
    scale = float(np.partition(ratio, count)[count])
    return np.asarray(thickness_mm * min(scale, 3.0), dtype=np.float32)
