"""What must not be marked: old infarcts, leukoaraiosis, calcification, dense vessels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from scipy import ndimage

from strokediff.phantom.backgrounds.effects import NONE, Effect, Shape
from strokediff.phantom.backgrounds.head import Head
from strokediff.phantom.backgrounds.infarct import Outlined
from strokediff.phantom.fields import Field, smooth_field, soft_step
from strokediff.phantom.lesions import LesionShapes
from strokediff.phantom.params import draw_one, draw_seed, draw_volume

CALCIFIED = {
    "plexus": (((-25.0, -42.0, 10.0), (25.0, -42.0, 10.0)), 2.5),
    "pineal": (((0.0, -29.0, 1.0),), 2.0),
    "pallidum": (((-19.0, -3.0, 0.0), (19.0, -3.0, 0.0)), 2.5),
    "falx": (((0.0, 42.0, 40.0), (0.0, 20.0, 60.0)), 3.0),
}
VESSELS = {
    "mca": ((14.0, 2.0, -18.0), (22.0, 4.0, -17.0), (30.0, 4.0, -16.0), (36.0, 2.0, -14.0)),
    "basilar": ((0.0, -17.0, -42.0), (0.0, -17.0, -32.0), (0.0, -15.0, -22.0)),
}

SMALL_ML, LARGE_ML = (0.4, 0.6, 0.1, 2.0), (10.0, 1.0, 1.0, 80.0)
"""Old infarcts: median, standard deviation of the logarithm, least, most."""


@dataclass(frozen=True, kw_only=True)
class OldInfarct(Outlined):
    """A cavity of CSF, or a scar some HU denser: darker than any infarct of days is."""

    name: ClassVar[str] = "old infarct"
    label: ClassVar[int] = NONE
    above_fluid_hu: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> OldInfarct:
        """Small and deep, or large."""
        small = rng.random() < 0.5
        where = ("mca_deep", "lacune") if small else ("mca", "pca", "cerebellum")
        return cls(
            territory=str(rng.choice(where)),
            side=int(rng.choice((-1, 1))),
            volume_ml=draw_volume(
                rng, *((0.4, 0.6, 0.1, 2.0) if small else (10.0, 1.0, 1.0, 80.0))
            ),
            above_fluid_hu=float(rng.uniform(0.0, 12.0)),
            edge_mm=float(rng.uniform(1.0, 4.0)),
            irregularity=0.5,
            jitter_mm=float(rng.uniform(1.0, 3.0)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """As an infarct's, so that nothing but its density tells it apart."""
        return Shape(self.outlined(head, outlines))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """Fluid, or what is between fluid and tissue, for tissue."""
        share = head.grid.to_slices(shape.mask)
        return Effect(share=share, value=np.full_like(share, head.csf_hu + self.above_fluid_hu))


@dataclass(frozen=True, kw_only=True)
class Leukoaraiosis:
    """White matter round the ventricles that is darker."""

    name: ClassVar[str] = "leukoaraiosis"
    label: ClassVar[int] = NONE
    delta_hu: float
    reach_mm: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Leukoaraiosis:
        """From hardly visible to confluent."""
        return cls(
            delta_hu=-float(rng.uniform(2, 11)),
            reach_mm=float(rng.uniform(3, 9)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """Near the ventricles, patchy, above the basal ganglia."""
        rng = np.random.default_rng(self.seed)
        spacing = head.grid.spacing_mm
        core = (head.ventricle > 0.5) & (head.coordinates[2] > 4)
        if not core.any():
            return Shape(np.zeros_like(head.depth))
        far = ndimage.distance_transform_edt(~core[::2, ::2, ::2], sampling=2 * np.array(spacing))
        near = np.exp(-((far / self.reach_mm) ** 2)).astype(np.float32)
        near = np.repeat(np.repeat(np.repeat(near, 2, 0), 2, 1), 2, 2)
        near = ndimage.uniform_filter(near[tuple(slice(n) for n in core.shape)], 3)
        spots = np.clip(0.8 + 0.6 * smooth_field(rng, core.shape, 9.0), 0, 2)
        return Shape(np.asarray(near * spots * (head.depth > 8), dtype=np.float32))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """x + m delta in white matter."""
        white = np.clip(0.6 - (head.local - head.around) / 6.0, 0, 1)
        mask = head.grid.to_slices(shape.mask) * white * (1 - head.fluid)
        return Effect(add=self.delta_hu * mask)


@dataclass(frozen=True, kw_only=True)
class Calcification:
    """Lime in a usual place."""

    name: ClassVar[str] = "calcification"
    label: ClassVar[int] = NONE
    place: str
    spots: tuple[tuple[float, float, float, float, float], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Calcification:
        """MNI place, radius in mm and HU of every spot."""
        place = draw_one(rng, {"plexus": 0.4, "pineal": 0.2, "pallidum": 0.2, "falx": 0.2})
        centres, most = CALCIFIED[place]
        spots = []
        for centre in centres:
            x, y, z = np.array(centre) + rng.normal(0, (0.4 if place == "falx" else 1.5, 2, 2))
            spots.append((x, y, z, rng.uniform(1.0, most), rng.uniform(70, 300)))
        return cls(place=place, spots=tuple(tuple(float(v) for v in s) for s in spots))  # type: ignore[misc]

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """Small balls; that of the falx is flat."""
        mask = np.zeros_like(head.depth)
        x, y, z = head.coordinates
        flat = 0.4 if self.place == "falx" else 1.0
        for cx, cy, cz, radius, hu in self.spots:
            square = ((x - cx) / flat) ** 2 + ((y - cy) / (2 - flat)) ** 2 + (z - cz) ** 2
            near = square < (radius + 3) ** 2
            mask[near] += hu * soft_step(radius - np.sqrt(square[near]), 1.0)
        return Shape(mask * (head.depth > 0.5))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """HU on top."""
        return Effect(add=head.grid.to_slices(shape.mask))


@dataclass(frozen=True, kw_only=True)
class DenseVessel:
    """An artery or the sagittal sinus, a little denser than usual."""

    name: ClassVar[str] = "dense vessel"
    label: ClassVar[int] = NONE
    vessel: str
    side: int
    delta_hu: float
    radius_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator, vessel: str | None = None) -> DenseVessel:
        """Which, and by how much."""
        vessel = vessel or draw_one(rng, {"mca": 0.4, "basilar": 0.2, "sinus": 0.4})
        low, high = (4, 14) if vessel == "sinus" else (10, 24)
        return cls(
            vessel=vessel,
            side=int(rng.choice((-1, 1))),
            delta_hu=float(rng.uniform(low, high)),
            radius_mm=float(rng.uniform(1.2, 1.9)),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """A tube along the vessel's way in MNI space."""
        x, y, z = head.coordinates
        if self.vessel == "sinus":
            wide = soft_step(4.5 - 0.8 * head.depth - np.abs(x), 1.5)
            back = soft_step(np.maximum(z - 20, -y - 70), 8.0)
            return Shape(wide * back * soft_step(head.depth) * (head.depth < 7))
        mask = np.zeros_like(x)
        way = np.array(VESSELS[self.vessel]) * (self.side, 1, 1)
        for start, end in pairwise(way):
            mask = np.maximum(mask, _tube(x, y, z, start, end, self.radius_mm))
        return Shape(mask)

    def effect(self, head: Head, shape: Shape) -> Effect:
        """HU on top."""
        return Effect(add=self.delta_hu * head.grid.to_slices(shape.mask))


def _tube(x: Field, y: Field, z: Field, start: Field, end: Field, radius: float) -> Field:
    way = end - start
    length = float(np.linalg.norm(way))
    unit = way / length
    along = (x - start[0]) * unit[0] + (y - start[1]) * unit[1] + (z - start[2]) * unit[2]
    along = np.clip(along, 0, length)
    away = np.sqrt(
        sum((c - s - along * u) ** 2 for c, s, u in zip((x, y, z), start, unit, strict=True))
    )
    return np.asarray(soft_step(radius - away, 1.0), dtype=np.float32)


Decoy = OldInfarct | Leukoaraiosis | Calcification | DenseVessel


def draw_decoys(rng: np.random.Generator) -> tuple[Decoy, ...]:
    """None in about half of heads, else one or some."""
    found: list[Decoy] = []
    if rng.random() < 0.22:
        found += [OldInfarct.draw(rng) for _ in range(int(rng.integers(1, 3)))]
    if rng.random() < 0.18:
        found.append(Leukoaraiosis.draw(rng))
    if rng.random() < 0.22:
        found.append(Calcification.draw(rng))
    if rng.random() < 0.15:
        found.append(DenseVessel.draw(rng))
    return tuple(found)
