"""Recipes draw by seed alone, stay in their ranges, and can be written down."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from strokediff.ct.grid import GridConfig
from strokediff.ct.midline import Midline
from strokediff.training.augmentation.recipes import RECIPES, Drawn
from strokediff.training.augmentation.view import View

SIDE = 48
GRID = GridConfig(size=SIDE, spacing_mm=4.0)


def drawn(recipe: str, seed: int) -> Drawn:
    return RECIPES[recipe].draw(np.random.default_rng(seed), GRID)


def a_view(kinds: int = 2) -> View:
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    m = np.asarray((rows / 20) ** 2 + (columns / 17) ** 2 < 1, np.float32)[None].repeat(3, 0)
    rng = np.random.default_rng(0)
    x = m * rng.normal(-0.1, 0.2, m.shape).astype(np.float32).clip(-1, 1)
    y = np.zeros((kinds, SIDE, SIDE), np.float32)
    y[0, 20:30, 14:20] = 1
    return View(x, m, y, Midline(3.0).reflection(SIDE), spacing_mm=4.0)


@pytest.mark.parametrize("recipe", ["plain", "scanners"])
def test_values_stay_in_range_whatever_is_drawn_and_the_seed_fixes_them(recipe: str) -> None:
    view, seen = a_view(), []
    for seed in range(60):
        made, again = (drawn(recipe, seed).apply(view) for _ in range(2))
        assert all(np.array_equal(getattr(made, key), getattr(again, key)) for key in "xmy")
        assert np.isfinite(made.x).all() and np.abs(made.x).max() <= 1
        assert {array.dtype for array in (made.x, made.m, made.y)} == {np.dtype(np.float32)}
        assert set(np.unique(made.m)) <= {0.0, 1.0} and set(np.unique(made.y)) <= {0.0, 1.0}
        assert (made.x.shape, made.y.shape) == (view.x.shape, view.y.shape)
        seen.append(made.x.tobytes())
    assert len(set(seen)) > 55


def test_none_is_the_identity() -> None:
    view = a_view()
    assert drawn("none", 3).apply(view) is view


@pytest.mark.parametrize("recipe", ["plain", "scanners"])
def test_what_was_drawn_is_plain_json_and_drawn_alike_from_a_seed(recipe: str) -> None:
    for seed in range(30):
        record = drawn(recipe, seed).as_dict()
        assert json.loads(json.dumps(record))["recipe"] == recipe
        assert record == drawn(recipe, seed).as_dict()


def found(recipe: str, count: int) -> dict[str, list[dict[str, Any]]]:
    steps: dict[str, list[dict[str, Any]]] = {}
    for seed in range(count):
        for step in drawn(recipe, seed).as_dict()["steps"]:
            steps.setdefault(step["step"], []).append(step)
    return steps


def test_scanners_cover_their_ranges_and_do_not_leave_them() -> None:
    steps = found("scanners", 1500)
    ranges = {
        ("pose", "rotation_deg"): (-30, 30),
        ("values", "factor"): (0.88, 1.12),
        ("values", "shift_hu"): (-4, 4),
        ("noise", "hu"): (0, 6),
        ("cupping", "edge_hu"): (-3, 10),
        ("streak", "hu"): (-8, 8),
    }
    for (step, key), (low, high) in ranges.items():
        values = np.array([each[key] for each in steps[step]])
        assert low <= values.min() < low + 0.1 * (high - low), (step, key)
        assert high - 0.1 * (high - low) < values.max() <= high, (step, key)
    scales = np.array([each["scale"] for each in steps["pose"]])
    assert 0.85 <= scales.min() < 0.87 < 1.13 < scales.max() <= 1.15
    assert {"edge", "thickness", "kernel", "pixels", "patches"} <= set(steps)


def test_plain_draws_what_the_papers_vary_as_often_as_before() -> None:
    """The law of the transforms of 0.1.0: 0.8 turned, 0.3 each of contrast, shift and noise."""
    count = 1500
    steps = found("plain", count)
    often = Counter({key: len(value) / count for key, value in steps.items()})
    assert often["edge"] == pytest.approx(0.6, abs=0.04)
    assert often["noise"] == pytest.approx(0.3, abs=0.04)
    turned = [step for step in steps["pose"] if step["rotation_deg"]]
    assert len(turned) / count == pytest.approx(0.8, abs=0.04)
    assert sum(step["flip"] for step in steps["pose"]) / count == pytest.approx(0.5, abs=0.04)
    assert 14 < max(abs(step["rotation_deg"]) for step in turned) <= 15
    zoom = 1 / np.array([step["scale"] for step in turned])
    assert 0.88 <= zoom.min() < 0.89 and 1.11 < zoom.max() <= 1.12
    changed = np.array([[step["factor"] != 1, step["shift_hu"] != 0] for step in steps["values"]])
    assert changed.mean(0) == pytest.approx([0.3, 0.3], abs=0.04)
    assert 1.8 < max(step["hu"] for step in steps["noise"]) <= 2.0
