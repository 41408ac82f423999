"""Which steps are drawn, how often and how far: what `training.augmentation` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from strokediff.cohort.store import RIM_MM
from strokediff.ct.grid import GridConfig
from strokediff.training.augmentation.edge import Edge
from strokediff.training.augmentation.fields import Cupping, Patches, Streak, Values
from strokediff.training.augmentation.pose import Bend, Pose
from strokediff.training.augmentation.texture import Kernel, Noise, Pixels, Thickness
from strokediff.training.augmentation.view import Step, View, name_of

RecipeName = Literal["none", "plain", "scanners"]
Rng = np.random.Generator

EDGES_MM = (-RIM_MM / 2, 0.0, 0.0, RIM_MM / 2, RIM_MM)
"""How far the edge of the brain moves, each as often."""


@dataclass(frozen=True)
class Drawn:
    """All that happens to one sample, in order."""

    recipe: str
    steps: tuple[Step, ...]

    def apply(self, view: View) -> View:
        """The view after every step, x in [-1, 1] again."""
        for step in self.steps:
            view = step.apply(view)
        return replace(view, x=view.x.clip(-1, 1)) if self.steps else view

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        steps: list[Any] = list(self.steps)
        return {
            "recipe": self.recipe,
            "steps": [{"step": name_of(step), **asdict(step)} for step in steps],
        }


class Recipe(Protocol):
    """Draws all parameters of a sample, seeing nothing but the generator and the grid."""

    name: ClassVar[str]

    def draw(self, rng: Rng, grid: GridConfig) -> Drawn:
        """One sample's steps on that grid."""
        ...


class Nothing:
    """Every slice as it is."""

    name: ClassVar[str] = "none"

    def draw(self, rng: Rng, grid: GridConfig) -> Drawn:
        """No step; nothing is drawn."""
        return Drawn(self.name, ())


class Plain:
    """Noise, rotation, scaling and in-plane flip (SDPM section 3), a shift of the window, and
    another edge of the brain.
    """

    name: ClassVar[str] = "plain"

    def draw(self, rng: Rng, grid: GridConfig) -> Drawn:
        """Up to 15 degrees, 12 % along rows and columns, 4 mm, 10 % contrast and 0.08 of x."""
        steps: list[Step] = [*_edge(rng)]
        flip = bool(rng.random() < 0.5)
        if rng.random() < 0.8:
            scale = 1 / (1 + rng.uniform(-0.12, 0.12, 2))
            shift_mm = scale * rng.uniform(-4, 4, 2)
            turn = float(rng.uniform(-15, 15))
            steps.append(Pose(turn, _pair(scale), _pair(shift_mm), flip))
        elif flip:
            steps.append(Pose(flip=True))
        factor = float(rng.uniform(0.9, 1.1)) if rng.random() < 0.3 else 1.0
        unit_hu = grid.window_width / 2
        shift = float(rng.uniform(-0.08, 0.08)) if rng.random() < 0.3 else 0.0
        steps.append(Values(factor, shift * unit_hu))
        if rng.random() < 0.3:
            steps.append(Noise(float(rng.uniform(0, 0.05)) * unit_hu, 0.0, 0.0, _seed(rng)))
        return Drawn(self.name, tuple(steps))


class Scanners:
    """Domain randomisation: other heads, poses, scanners, kernels, doses and slices.

    Ranges are wider than what real scans show, so that these lie inside what was seen.
    """

    name: ClassVar[str] = "scanners"

    def draw(self, rng: Rng, grid: GridConfig) -> Drawn:
        """Each with a probability and a range of its own."""
        steps = [
            *_edge(rng),
            *_thickness(rng),
            *_pose(rng),
            *_fineness(rng, grid.spacing_mm),
            *_cupping(rng),
            *_streaks(rng),
            *_patches(rng),
            *_values(rng),
            *_noise(rng),
        ]
        return Drawn(self.name, tuple(steps))


RECIPES: Mapping[str, Recipe] = {own.name: own for own in (Nothing(), Plain(), Scanners())}


def _edge(rng: Rng) -> list[Step]:
    by_mm = EDGES_MM[rng.integers(len(EDGES_MM))]
    return [Edge(by_mm)] if by_mm else []


def _thickness(rng: Rng) -> list[Step]:
    return [Thickness(float(rng.uniform(0.05, 0.25)))] if rng.random() < 0.25 else []


def _pose(rng: Rng) -> list[Step]:
    """Half of the turned heads are turned by what is usual, half by anything to 30 degrees."""
    if rng.random() > 0.9:
        return [Pose(flip=bool(rng.random() < 0.5))]
    usual = rng.random() < 0.5
    turn = float(np.clip(rng.normal(0, 8), -30, 30) if usual else rng.uniform(-30, 30))
    scale = (rng.uniform(0.87, 1.13) * rng.uniform(0.95, 1.05, 2)).clip(0.85, 1.15)
    bend = None
    if rng.random() < 0.3:
        bend = Bend(float(rng.uniform(0.5, 2.0)), float(rng.uniform(30, 60)), _seed(rng))
    shift = rng.uniform(-8, 8, 2)
    return [Pose(turn, _pair(scale), _pair(shift), bool(rng.random() < 0.5), bend)]


def _fineness(rng: Rng, spacing_mm: float) -> list[Step]:
    """A smoother or a sharper kernel, or larger pixels."""
    choice = rng.random()
    if choice < 0.2:
        return [Kernel(float(rng.uniform(0.3, 0.9) * max(1.0, spacing_mm)), -1.0)]
    if choice < 0.4:
        width = float(rng.uniform(0.5, 1.2) * max(1.0, spacing_mm))
        return [Kernel(width, float(rng.uniform(0.2, 1.0)))]
    return [Pixels(float(rng.uniform(1.2, 1.8)))] if choice < 0.55 else []


def _cupping(rng: Rng) -> list[Step]:
    if rng.random() > 0.6:
        return []
    towards = float(rng.uniform(0, 360)) if rng.random() < 0.5 else None
    lower = float(rng.uniform(0, 1)) if rng.random() < 0.5 else 0.0
    return [Cupping(float(rng.uniform(-3, 10)), float(rng.uniform(6, 30)), towards, lower)]


def _streaks(rng: Rng) -> list[Step]:
    """Dark ones and bright ones, one to four."""
    if rng.random() > 0.3:
        return []
    steps: list[Step] = []
    for _ in range(int(rng.integers(1, 5))):
        start = float(rng.uniform(0, 360))
        hu = float(rng.choice((-1, 1)) * rng.uniform(2, 8))
        to = start + float(rng.uniform(70, 290))
        steps.append(Streak(hu, start, to, float(rng.uniform(1.5, 6)), float(rng.uniform(0, 1))))
    return steps


def _patches(rng: Rng) -> list[Step]:
    if rng.random() > 0.4:
        return []
    return [Patches(float(rng.uniform(0.3, 2.0)), float(rng.uniform(12, 50)), _seed(rng))]


def _values(rng: Rng) -> list[Step]:
    factor = float(rng.uniform(0.88, 1.12)) if rng.random() < 0.5 else 1.0
    shift = float(rng.uniform(-4, 4)) if rng.random() < 0.6 else 0.0
    return [Values(factor, shift)]


def _noise(rng: Rng) -> list[Step]:
    """Little more often than much; smooth half the time, and then less, else white or sharp."""
    if rng.random() > 0.6:
        return []
    smooth = rng.random() < 0.5
    width = float(rng.uniform(0.4, 2.5) if smooth else rng.uniform(0.5, 1.5))
    sharp = 0.0 if smooth else float(rng.uniform(0.0, 2.0))
    most = 4.0 if smooth else 6.0
    return [Noise(float(most * rng.random() ** 1.5), width, sharp, _seed(rng))]


def _pair(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _seed(rng: Rng) -> int:
    return int(rng.integers(2**31))
