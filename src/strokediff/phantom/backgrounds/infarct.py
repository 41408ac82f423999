"""Infarcts: water comes in, grey matter falls to white, sulci close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from strokediff.phantom.backgrounds.effects import LABELS, Effect, Shape
from strokediff.phantom.backgrounds.head import Head, carried
from strokediff.phantom.backgrounds.shapes import at_share, blob, pushed, tissue_of
from strokediff.phantom.fields import Field, smooth_field
from strokediff.phantom.lesions import LesionShapes, territory
from strokediff.phantom.params import DrawnLesion, draw_one, draw_seed, draw_volume
from strokediff.phantom.template import wheel_atlas
from strokediff.util.kinds import INFARCT

TERRITORIES = {
    "mca": 0.55,
    "mca_deep": 0.12,
    "pca": 0.11,
    "aca": 0.06,
    "cerebellum": 0.07,
    "lacune": 0.09,
}
VOLUME_ML = {
    "mca": (20.0, 1.25, 0.5, 200.0),
    "mca_deep": (5.0, 0.9, 0.5, 30.0),
    "pca": (10.0, 1.0, 0.5, 80.0),
    "aca": (7.0, 1.0, 0.5, 50.0),
    "cerebellum": (7.0, 1.0, 0.5, 50.0),
    "lacune": (0.8, 0.5, 0.3, 3.0),
}
"""Median in mL, standard deviation of the logarithm, least, most."""
WITHIN_A_DAY = 0.6
"""Share of infarcts so young that little water is in them; the others are days old."""


@dataclass(frozen=True, kw_only=True)
class Outlined:
    """What has the place of an infarct: `jitter_mm` bends an outline that is carried over."""

    territory: str
    side: int
    volume_ml: float
    edge_mm: float
    irregularity: float
    jitter_mm: float
    seed: int

    def outlined(self, head: Head, outlines: LesionShapes | None) -> Field:
        """A real outline carried over from MNI space and bent, or a blob in the territory."""
        if outlines is None:
            rng = np.random.default_rng(self.seed)
            region = territory(self.territory, self.side, head.coarse, rng)
            return blob(
                head,
                region,
                self.volume_ml,
                rng,
                irregularity=self.irregularity,
                edge_mm=self.edge_mm,
            )
        atlas = wheel_atlas().inner
        wanted = DrawnLesion(
            territory=self.territory,
            side=self.side,
            volume_ml=self.volume_ml * head.per_ml(),
            contrast_hu=0.0,
            edge_mm=self.edge_mm,
            irregularity=self.irregularity,
            seed=self.seed,
        )
        rng = np.random.default_rng([self.seed, 2])
        jitter = [self.jitter_mm * smooth_field(rng, head.depth.shape, 25.0) for _ in range(3)]
        mask = carried(outlines.shape(wanted, atlas), atlas, head, jitter)
        return np.asarray(mask * np.clip(1.5 * tissue_of(head), 0, 1), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Infarct(Outlined):
    """An infarct in a territory; `delta_hu` from -1.5 (hours) to -15 (days): 2 HU a per cent water.

    `contrast_loss` is the share of the grey-white contrast that goes, `effacement` that of the
    fluid in its sulci, `swelling_mm` how far it pushes.
    """

    name: ClassVar[str] = "infarct"
    label: ClassVar[int] = LABELS[INFARCT]
    delta_hu: float
    uneven: float
    contrast_loss: float
    effacement: float
    swelling_mm: float

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """A real outline carried over from MNI space, or a blob in the territory."""
        mask = self.outlined(head, outlines)
        return Shape(mask, pushed(head, mask, self.swelling_mm) if self.swelling_mm > 0 else None)

    def effect(self, head: Head, shape: Shape) -> Effect:
        """x + m (delta + loss (mean - x_smooth)) in tissue; fluid of sulci rises to it."""
        rng = np.random.default_rng([self.seed, 1])
        mask = head.grid.to_slices(shape.mask)
        solid = np.clip(1 - 1.6 * np.clip(head.fluid - 0.25, 0, 1), 0, 1)
        patches = np.clip(1 + self.uneven * smooth_field(rng, mask.shape, 9.0), 0.3, 1.7)
        apart = head.around - head.local
        change = self.delta_hu * patches + self.contrast_loss * np.clip(apart, -9, 9)
        closed = self.effacement * (apart + self.delta_hu)
        add = mask * (solid * change + (1 - solid) * closed)
        return Effect(add=add, truth=mask, volume_ml=at_share(shape.mask, head))


def draw_infarcts(rng: np.random.Generator) -> tuple[Infarct, ...]:
    """One infarct, in a fifth of heads with satellites in the same hemisphere."""
    where = draw_one(rng, TERRITORIES)
    side = int(rng.choice((-1, 1)))
    delta = _darkening(rng)
    volume = draw_volume(rng, *VOLUME_ML[where])
    first = _drawn(rng, where, side, volume, delta)
    count = int(rng.integers(1, 4)) if rng.random() < 0.2 else 0
    rest = [
        _drawn(
            rng,
            str(rng.choice(("mca", where))),
            side,
            draw_volume(rng, 1.5, 0.8, 0.3, 8.0),
            delta * float(rng.uniform(0.7, 1.0)),
        )
        for _ in range(count)
    ]
    return (first, *rest)


def _darkening(rng: np.random.Generator) -> float:
    """HU: within a day a net water uptake of 4 to 23 % takes it from 35; later up to 15 HU go.

    What is darker than that is a scar: `OldInfarct`.
    """
    if rng.random() < WITHIN_A_DAY:
        return -(1.5 + 6.5 * float(rng.beta(1.7, 2.0)))
    return -(6.0 + 9.0 * float(rng.beta(1.2, 1.7)))


def _drawn(
    rng: np.random.Generator, where: str, side: int, volume_ml: float, delta_hu: float
) -> Infarct:
    days = float(np.clip(-delta_hu / 12.0, 0, 1))
    return Infarct(
        territory=where,
        side=side,
        volume_ml=volume_ml,
        delta_hu=delta_hu,
        edge_mm=float(rng.uniform(2.0, 5.0)),
        irregularity=float(rng.uniform(0.25, 0.6)),
        uneven=float(rng.uniform(0.05, 0.3)),
        contrast_loss=float(np.clip(0.3 + 0.7 * days + rng.normal(0, 0.1), 0, 1)),
        effacement=float(rng.uniform(0.1, 0.7)),
        swelling_mm=float(rng.uniform(0, 1) * days * min(0.3 * volume_ml**0.55, 6.0)),
        jitter_mm=float(rng.uniform(1.0, 3.0)),
        seed=draw_seed(rng),
    )
