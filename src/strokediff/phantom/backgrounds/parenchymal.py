"""Blood in the brain's tissue: haematomas with their oedema, contusions and petechial groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import ndimage

from strokediff.phantom.backgrounds.effects import LABELS, Effect, Shape
from strokediff.phantom.backgrounds.head import Head
from strokediff.phantom.backgrounds.shapes import at_share, ball, blob, pushed, tissue_of
from strokediff.phantom.fields import Field, smooth_field
from strokediff.phantom.lesions import LesionShapes, territory
from strokediff.phantom.params import draw_one, draw_seed, draw_volume
from strokediff.util.kinds import HAEMORRHAGE

SITES = {"putamen": 0.32, "thalamus": 0.18, "lobar": 0.40, "cerebellum": 0.10}
VOLUME_ML = {
    "putamen": (10.0, 1.1, 0.3, 100.0),
    "thalamus": (4.0, 0.9, 0.2, 30.0),
    "lobar": (9.0, 1.3, 0.2, 110.0),
    "cerebellum": (4.0, 0.9, 0.3, 40.0),
}
POLES = {
    "frontal": (28.0, 50.0, -6.0),
    "orbital": (20.0, 32.0, -18.0),
    "temporal": (44.0, 6.0, -30.0),
    "inferior temporal": (52.0, -30.0, -20.0),
    "convexity": (52.0, -10.0, 28.0),
    "parasagittal": (14.0, 20.0, 48.0),
}


def oedema(head: Head, mask: Field, rim_hu: float, rim_mm: float) -> Field:
    """HU to add in a rim round a bleed, by slice; it is no part of the lesion."""
    grid = head.grid
    spacing = grid.spacing_mm
    slices = grid.to_slices(mask)
    sigma = (rim_mm / spacing[0], rim_mm / spacing[1], rim_mm / spacing[2] / grid.subs)
    around = np.clip(2.5 * ndimage.gaussian_filter(slices, sigma), 0, 1)
    inside = np.clip(grid.to_slices(head.depth) / 2.0, 0, 1)
    white = np.clip(0.75 - (head.local - head.around) / 12.0, 0.4, 1.0)
    return np.asarray(rim_hu * around * inside * (1 - head.fluid) * white, dtype=np.float32)


def blood_hu(seed: int, shape: tuple[int, ...], mean: float, uneven: float, length: float) -> Field:
    """HU of a clot by slice: uneven at two scales."""
    rng = np.random.default_rng([seed, 1])
    wide, narrow = smooth_field(rng, shape, length), smooth_field(rng, shape, 3.0)
    return np.asarray(mean + uneven * (0.85 * wide + 0.5 * narrow), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Haematoma:
    """A clot of 50 to 80 HU, uneven, in a rim of oedema; a large one pushes the brain aside."""

    name: ClassVar[str] = "intraparenchymal"
    label: ClassVar[int] = LABELS[HAEMORRHAGE]
    site: str
    side: int
    volume_ml: float
    clot_hu: float
    uneven_hu: float
    edge_mm: float
    irregularity: float
    rim_hu: float
    rim_mm: float
    swelling_mm: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Haematoma:
        """Sites as in spontaneous and traumatic bleeding."""
        site = draw_one(rng, SITES)
        volume = draw_volume(rng, *VOLUME_ML[site])
        return cls(
            site=site,
            side=int(rng.choice((-1, 1))),
            volume_ml=volume,
            clot_hu=float(np.clip(rng.normal(64, 7), 50, 80)),
            uneven_hu=float(rng.uniform(2, 7)),
            edge_mm=float(rng.uniform(1.0, 4.0)),
            irregularity=float(rng.uniform(0.25, 0.75)),
            rim_hu=-float(rng.uniform(3, 13)),
            rim_mm=float(rng.uniform(1.5, 6.0)),
            swelling_mm=float(rng.uniform(0.1, 1.0) * min(0.35 * volume**0.6, 7.0)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """A blob at the site."""
        rng = np.random.default_rng(self.seed)
        mask = blob(
            head,
            territory(self.site, self.side, head.coarse, rng),
            self.volume_ml,
            rng,
            irregularity=self.irregularity,
            edge_mm=self.edge_mm,
        )
        return Shape(mask, pushed(head, mask, self.swelling_mm))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """Clot for tissue, oedema around."""
        share = head.grid.to_slices(shape.mask)
        return Effect(
            add=oedema(head, shape.mask, self.rim_hu, self.rim_mm),
            share=share,
            value=blood_hu(self.seed, share.shape, self.clot_hu, self.uneven_hu, 8.0),
            truth=share,
            volume_ml=at_share(shape.mask, head),
        )


@dataclass(frozen=True, kw_only=True)
class Contusions:
    """Small irregular bleeds of the cortex, mottled, near the poles or anywhere on the surface."""

    name: ClassVar[str] = "contusion"
    label: ClassVar[int] = LABELS[HAEMORRHAGE]
    pole: str
    side: int
    volumes_ml: tuple[float, ...]
    spread_mm: float
    clot_hu: float
    mottle: float
    rim_hu: float
    rim_mm: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Contusions:
        """One to six pieces; a third of the groups are petechial."""
        petechial = rng.random() < 0.33
        count = int(rng.integers(2, 7)) if petechial else int(rng.choice((1, 2, 3, 4)))
        median, most = (0.12, 0.4) if petechial else (0.6, 4.0)
        return cls(
            pole=draw_one(
                rng,
                {
                    "frontal": 0.25,
                    "orbital": 0.15,
                    "temporal": 0.25,
                    "inferior temporal": 0.1,
                    "convexity": 0.15,
                    "parasagittal": 0.1,
                },
            ),
            side=int(rng.choice((-1, 1))),
            volumes_ml=tuple(draw_volume(rng, median, 0.8, 0.05, most) for _ in range(count)),
            spread_mm=float(rng.uniform(6, 18)),
            clot_hu=float(np.clip(rng.normal(59, 6), 48, 74)),
            mottle=float(rng.uniform(0.1, 0.6)),
            rim_hu=-float(rng.uniform(2, 12)),
            rim_mm=float(rng.uniform(1.5, 5.0)),
            seed=draw_seed(rng),
        )

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """Blobs close to the surface, round one place."""
        rng = np.random.default_rng(self.seed)
        x, y, z = POLES[self.pole]
        cortex = np.clip((16.0 - head.coarse_depth) / 6.0, 0, 1)
        region = ball(head, (self.side * x, y, z), self.spread_mm) * cortex
        region /= max(float(region.max()), 1e-6)
        tissue = tissue_of(head)
        mask = np.zeros(head.depth.shape, dtype=np.float32)
        for volume in self.volumes_ml:
            part = blob(
                head,
                region,
                volume,
                rng,
                irregularity=float(rng.uniform(0.6, 1.1)),
                edge_mm=float(rng.uniform(1.0, 2.5)),
                tissue=tissue,
            )
            mask = np.maximum(mask, part)
        grain = smooth_field(rng, mask.shape, 4.0)
        return Shape(mask * np.clip(1 - self.mottle * np.clip(0.5 + grain, 0, 1.4), 0.15, 1))

    def effect(self, head: Head, shape: Shape) -> Effect:
        """Mottled blood for cortex, a little oedema around."""
        share = head.grid.to_slices(shape.mask)
        return Effect(
            add=oedema(head, shape.mask, self.rim_hu, self.rim_mm),
            share=share,
            value=blood_hu(self.seed, share.shape, self.clot_hu, 3.0, 5.0),
            truth=share,
            volume_ml=min(sum(self.volumes_ml), 1.2 * at_share(shape.mask, head)),
        )
