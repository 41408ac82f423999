"""Law: tubes in the brain that are brighter than blood can be are warned of; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from strokediff.ct.checks.enhancement import enhanced
from strokediff.ct.volume import CT, Source

SHAPE, SPACING = (200, 220, 26), np.array([0.9, 0.9, 5.0])
Paths = list[tuple[float, list[tuple[float, float, float]]]]


@lru_cache(maxsize=1)
def places() -> np.ndarray:
    """(X, Y, Z, 3): right, front and up from the brain's middle, 1 at its edge."""
    radii = np.array([68, 84, 58]) / SPACING
    middle = (np.array(SHAPE) - 1) / 2
    return np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), -1) / radii - (
        middle / radii
    )


@lru_cache(maxsize=1)
def brain() -> np.ndarray:
    return np.linalg.norm(places(), axis=-1) < 1


def plain(noise_hu: float = 4.0) -> np.ndarray:
    """Brain of 32 HU with ventricles in a skull with a slanting base, scalp, air; noise."""
    away = np.linalg.norm(places(), axis=-1)
    hu = np.select([away < 1, away < 1.09, away < 1.16], [32.0, 900.0, 20.0], -1000.0)
    x, y, z = np.moveaxis(places(), -1, 0)
    hu[(np.abs(np.abs(x) - 0.12) < 0.06) & (np.abs(y) < 0.4) & (np.abs(z) < 0.25)] = 6
    hu[(away < 1) & (z < -0.55 + 0.2 * y)] = 700
    return hu + np.random.default_rng(0).normal(0, noise_hu, SHAPE)


def volume_of(hu: np.ndarray) -> CT:
    affine = np.diag([*SPACING, 1.0])
    return CT.from_source_array(hu, Source(Path("x"), "array", SHAPE, affine))


def drawn(hu: np.ndarray, paths: Paths, value: float) -> np.ndarray:
    """Tubes of so many mm radius along lines between places, with partial volume."""
    rng, filled = np.random.default_rng(0), np.zeros(SHAPE)
    to_mm, middle = np.array([68, 84, 58]), (np.array(SHAPE) - 1) / 2 * SPACING
    for radius, path in paths:
        ends = np.array(path) * to_mm + middle
        for a, b in pairwise(ends):
            length = np.linalg.norm(b - a)
            count = int(length * np.pi * radius**2 * 30)
            along = (b - a) / length
            aside = rng.normal(size=(count, 3))
            aside -= np.outer(aside @ along, along)
            aside *= (radius * np.sqrt(rng.random(count)) / np.linalg.norm(aside, axis=1))[:, None]
            points = a + rng.random(count)[:, None] * (b - a) + aside
            np.add.at(filled, tuple(np.rint(points / SPACING).astype(int).T), 1 / 30)
    share = np.minimum(filled / np.prod(SPACING), 1)
    return hu + share * np.maximum(value - hu, 0)


BOTH = (-1, 1)
ARTERIES: Paths = [
    *((1.5, [(s * 0.1, 0.1, -0.2), (s * 0.6, 0.1, -0.1), (s * 0.7, -0.1, 0.2)]) for s in BOTH),
    *((1.2, [(s * 0.4, 0.2, -0.1), (s * 0.6, 0.4, 0.1), (s * 0.5, 0.5, 0.4)]) for s in BOTH),
    *((1.2, [(0, 0, -0.3), (s * 0.3, -0.2, -0.2), (s * 0.2, -0.7, 0.0)]) for s in BOTH),
    (1.3, [(0, 0.2, -0.2), (0, 0.7, 0.1), (0, 0.4, 0.5), (0, -0.3, 0.5)]),
]
SINUSES: Paths = [
    (2.5, [(0, -0.1, 0.1), (0, -0.5, 0), (0, -0.8, -0.1)]),
    (4.5, [(0, 0.9, 0), (0, 0.6, 0.7), (0, 0, 0.92), (0, -0.6, 0.7), (0, -0.9, 0)]),
]
BRANCHES: Paths = [(1.5, [(s * 0.5, 0, 0), (s * 0.6, -0.1, 0.4), (0, 0, 0.8)]) for s in BOTH]

ENHANCED: dict[str, tuple[Paths, float]] = {
    "arteries of a CTA": (ARTERIES, 350),
    "arteries, late": (ARTERIES, 260),
    "sinuses of a CTV": (SINUSES, 160),
    "sinuses, dense": (SINUSES, 240),
    "all, a minute after injection": (ARTERIES + SINUSES + BRANCHES, 140),
    "arteries of one side": ([p for p in ARTERIES if p[1][-1][0] >= 0], 380),
}


@pytest.mark.parametrize(("paths", "hu"), ENHANCED.values(), ids=ENHANCED)
def test_vessels_with_contrast_are_warned_of(paths: Paths, hu: float) -> None:
    (warning,) = enhanced(volume_of(drawn(plain(), paths, hu)), brain())
    assert "contrast medium seems to have been given" in warning
    assert "give the plain series" in warning


def spot(hu: np.ndarray, at: tuple[float, float, float], mm: float, value: float) -> np.ndarray:
    away = (places() - np.array(at)) * np.array([68, 84, 58])
    return np.where(np.linalg.norm(away, axis=-1) < mm, value, hu)


def plexus(hu: np.ndarray) -> np.ndarray:
    """Pineal gland, both plexus and both pallida with lime."""
    for at in ((0, -0.15, 0), (0.3, -0.4, 0), (-0.3, -0.4, 0), (0.25, 0.1, 0), (-0.25, 0.1, 0)):
        hu = spot(hu, at, 5.0, 260)
    return hu


def streaks(hu: np.ndarray) -> np.ndarray:
    """A clip of metal in two slices and the bright and dark rays around it."""
    x, y, z = np.moveaxis(places(), -1, 0)
    ring = brain() & (np.abs(z - 0.1) < 0.1)
    hu = hu + ring * 250 * np.sin(12 * np.arctan2(y - 0.2, x - 0.2))
    return np.where(ring & (np.hypot(x - 0.2, y - 0.2) < 0.06), 12000, hu)


SILENT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain": lambda hu: hu,
    "noise of a bone kernel": lambda hu: plain(40.0),
    "dense sinuses of the dehydrated": lambda hu: drawn(hu, SINUSES, 78),
    "a dense artery": lambda hu: drawn(hu, ARTERIES[:1], 85),
    "a haematoma": lambda hu: spot(hu, (0.4, 0, 0.2), 24.0, 88),
    "a haematoma as dense as any": lambda hu: spot(hu, (0.4, 0, 0.2), 24.0, 100),
    "lime in plexus, pineal gland and pallidum": plexus,
    "lime in the falx": lambda hu: drawn(hu, [(1.5, [(0, 0.7, 0.3), (0, 0.1, 0.7)])], 900),
    "a drain": lambda hu: drawn(hu, [(1.5, [(0.5, 0.5, 0.5), (0.1, 0.1, 0)])], 1200),
    "a clip and its streaks": streaks,
    "bone in part at the rim": lambda hu: np.where(
        brain() & (np.linalg.norm(places(), axis=-1) > 0.97), 250, hu
    ),
    "a brain window": lambda hu: np.select([hu > 99, hu < -19], [800, -1000], hu),
    "no brain": lambda hu: np.full_like(hu, -1000),
}


@pytest.mark.parametrize("change", SILENT.values(), ids=SILENT)
def test_what_is_bright_without_contrast_is_not(change: Callable[..., np.ndarray]) -> None:
    assert enhanced(volume_of(change(plain())), brain()) == []


def test_without_a_brain_nothing_is_said() -> None:
    assert enhanced(volume_of(drawn(plain(), ARTERIES, 350)), np.zeros(SHAPE, bool)) == []
