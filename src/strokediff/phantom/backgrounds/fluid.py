"""Blood in the brain's fluid: in the ventricles, and in sulci and cisterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from strokediff.phantom.backgrounds.effects import LABELS, Effect, Shape
from strokediff.phantom.backgrounds.head import Head, carried
from strokediff.phantom.backgrounds.parenchymal import blood_hu
from strokediff.phantom.backgrounds.shapes import at_share
from strokediff.phantom.fields import Field, smooth_field, soft_step
from strokediff.phantom.lesions import LesionShapes
from strokediff.phantom.params import draw_one, draw_seed
from strokediff.phantom.template import wheel_atlas
from strokediff.util.kinds import HAEMORRHAGE

LEAST_VENTRICLE_ML = 2.0
LEAST_ML, GROWTHS = 0.4, (1.0, 1.4, 2.0, 2.8)
"""Blood reaches further where there is too little fluid to hold this much."""
CISTERNS = {
    "sylvian": (38.0, 4.0, -6.0, 17.0),
    "suprasellar": (6.0, -2.0, -20.0, 16.0),
    "ambient": (14.0, -30.0, -10.0, 15.0),
    "interhemispheric": (2.0, 40.0, 20.0, 24.0),
    "frontal": (30.0, 40.0, 30.0, 20.0),
    "parietal": (40.0, -40.0, 48.0, 20.0),
    "vertex": (15.0, -15.0, 66.0, 22.0),
    "temporal": (55.0, -25.0, 0.0, 20.0),
    "occipital": (25.0, -85.0, 10.0, 20.0),
}
"""Place in MNI mm on one side, and how far blood reaches there."""


SEATS = {name: 0.4 if name in ("vertex", "parietal") else 1.0 for name in CISTERNS}
"""How often blood is there, as shares of their sum."""


@dataclass(frozen=True, kw_only=True)
class Ventricular:
    """Blood that settles in the ventricles: the share of each side that is filled from the back.

    1 is a cast. `third` and `fourth` say whether these are filled.
    """

    name: ClassVar[str] = "intraventricular"
    label: ClassVar[int] = LABELS[HAEMORRHAGE]
    left: float
    right: float
    third: bool
    fourth: bool
    clot_hu: float
    level_mm: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Ventricular:
        """Mostly a level in the dependent horns, sometimes a cast."""
        fills = []
        for _ in range(2):
            how = draw_one(rng, {"none": 0.25, "level": 0.6, "cast": 0.15})
            low, high = {"none": (0, 0), "level": (0.06, 0.5), "cast": (0.85, 1.0)}[how]
            fills.append(float(rng.uniform(low, high)))
        if not any(fills):
            fills[int(rng.integers(2))] = float(rng.uniform(0.1, 0.6))
        return cls(
            left=fills[0],
            right=fills[1],
            third=bool(rng.random() < 0.25),
            fourth=bool(rng.random() < 0.2),
            clot_hu=float(np.clip(rng.normal(56, 7), 42, 75)),
            level_mm=float(rng.uniform(0.5, 6.0)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """The dependent part of each ventricle, by the scanner's down."""
        x, y, z = head.coordinates
        rng = np.random.default_rng(self.seed)
        rough = self.level_mm * smooth_field(rng, x.shape, 10.0)
        back = np.arange(x.shape[1], dtype=np.float32)[None, :, None] * head.grid.spacing_mm[1]
        mask = np.zeros_like(x)
        lateral = (z > -14) | (np.abs(x) > 14)
        for side, fill in ((-1, self.left), (1, self.right)):
            own = head.ventricle * (side * x > 1.0) * lateral
            if fill <= 0 or not (own > 0.5).any():
                continue
            volume = at_share(own, head)
            fill = max(fill, min(1.0, 0.5 * LEAST_VENTRICLE_ML / max(volume, 1e-3)))
            behind = np.broadcast_to(back, own.shape)[own > 0.5]
            level = float(np.quantile(behind, min(fill, 1.0))) + (20.0 if fill > 0.8 else 0.0)
            mask = np.maximum(mask, own * soft_step(level - back + rough, 2.0))
        if self.third:
            third = soft_step(5.0 - np.abs(x), 3.0) * soft_step(z + 14.0, 3.0)
            third = third * soft_step(2.0 - z, 5.0) * soft_step(y + 32.0, 4.0)
            mask = np.maximum(mask, head.ventricle * third)
        if self.fourth:
            fourth = soft_step(14.0 - np.abs(x), 3.0) * (z < -14) * (y < -30)
            mask = np.maximum(mask, head.ventricle * fourth)
        return Shape(np.asarray(np.clip(1.15 * mask, 0, 1), dtype=np.float32))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """Blood for fluid."""
        share = head.grid.to_slices(shape.mask)
        return Effect(
            share=share,
            value=blood_hu(self.seed, share.shape, self.clot_hu, 3.5, 8.0),
            truth=share,
            volume_ml=at_share(shape.mask, head),
        )


@dataclass(frozen=True, kw_only=True)
class Subarachnoid:
    """Fluid of sulci, fissures or cisterns that is `raise_hu` denser, in one place or some."""

    name: ClassVar[str] = "subarachnoid"
    label: ClassVar[int] = LABELS[HAEMORRHAGE]
    places: tuple[str, ...]
    side: int
    extent: float
    raise_hu: float
    borrowed: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Subarachnoid:
        """A few sulci, or the basal cisterns of one or both sides."""
        basal = ("suprasellar", "ambient", "sylvian", "interhemispheric")
        spread = rng.random() < 0.25
        places = basal[: int(rng.integers(2, 5))] if spread else (draw_one(rng, SEATS),)
        return cls(
            places=places,
            side=int(rng.choice((-1, 1))),
            extent=float(rng.uniform(0.7, 1.5)),
            raise_hu=float(rng.uniform(32, 60)),
            borrowed=float(rng.uniform(0.3, 0.7)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """The head's own fluid near the places; where none is seen, the template's sulci."""
        rng = np.random.default_rng(self.seed)
        patches = np.clip(1 + 0.35 * smooth_field(rng, head.depth.shape, 10.0), 0.2, 1.6)
        jitter = rng.normal(0, 4.0, (len(self.places), 3))
        sulci = self._sulci(head)
        for growth in GROWTHS:
            near = np.clip(2.2 * self._near(head, jitter, growth) * patches - 0.5, 0, 1)
            mask = np.asarray(near * sulci, dtype=np.float32)
            if at_share(mask, head) > LEAST_ML:
                break
        return Shape(mask)

    def _near(self, head: Head, jitter: Field, growth: float) -> Field:
        """1 at the places, falling over their reach."""
        x, y, z = head.coordinates
        near = np.zeros_like(x)
        for place, (dx, dy, dz) in zip(self.places, jitter, strict=True):
            cx, cy, cz, reach = CISTERNS[place]
            square = (
                (self.side * x - cx - np.float32(dx)) ** 2
                + (y - cy - np.float32(dy)) ** 2
                + (z - cz - np.float32(dz)) ** 2
            )
            width = 0.75 * self.extent * reach * growth
            near = np.maximum(near, np.exp(-0.5 * square / width**2))
        return near

    def _sulci(self, head: Head) -> Field:
        own = head.grid.to_fine(np.clip((head.fluid - 0.22) / 0.4, 0, 1))
        sulci = np.maximum(own, self.borrowed * template_sulci(head))
        sulci = sulci * (1 - np.clip(2 * head.ventricle, 0, 1))
        return np.asarray(sulci * soft_step(head.depth - 0.3))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """x + share * raise: thin sulci stay what they are, but brighter."""
        share = head.grid.to_slices(shape.mask)
        value = blood_hu(self.seed, share.shape, self.raise_hu, 4.0, 8.0)
        return Effect(add=share * value, truth=share, volume_ml=at_share(shape.mask, head))


def template_sulci(head: Head) -> Field:
    """The template's fluid, carried over."""
    atlas = wheel_atlas().inner
    fluid = np.clip(1 - atlas.grey - atlas.white, 0, 1) * (atlas.depth < 0)
    return np.asarray(np.clip((carried(fluid, atlas, head) - 0.45) / 0.35, 0, 1))
