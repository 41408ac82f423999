"""Laws of what is interpolated across slices: shapes, areas, probabilities, values, thickness."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.ct.brain.bridge import Bridge
from strokediff.ct.brain.shapes import fill_between, foreseen, signed_distance

X, Y = np.mgrid[-40:41, -40:41].astype(float)
EVEN = np.arange(9) * 5.0


def disc(radius: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    return np.hypot(X - x, Y - y) < radius


def bridge(left_out, at_mm=EVEN, shift=(0.0, 0.0)) -> Bridge:
    return Bridge(tuple(left_out), np.asarray(at_mm, dtype=float), (1.0, 1.0), shift)


def stack(*discs) -> np.ndarray:
    return np.stack(discs, axis=-1)


@pytest.mark.parametrize("gap", [(5.0, 5.0), (2.0, 8.0), (12.0, 3.0)])
def test_a_disc_between_discs_has_the_radius_between(gap):
    """20 below and 30 above: linear in z, to half a pixel."""
    between = foreseen(disc(20), disc(30), gap, (1.0, 1.0)) < 0
    radius = 20 + 10 * gap[0] / sum(gap)
    assert np.sqrt(between.sum() / np.pi) == pytest.approx(radius, abs=0.6)


@pytest.mark.parametrize("shift", [(0.0, 0.8), (-0.6, 0.0), (0.5, -0.5)])
def test_shapes_are_brought_together_along_the_tilt(shift):
    """A cylinder that leans: its section between lies in the middle, and is as large."""
    offset = 10 * np.array(shift)
    below, above = disc(15, *-offset / 2), disc(15, *offset / 2)
    between = foreseen(below, above, (5.0, 5.0), (1.0, 1.0), shift) < 0
    assert between.sum() == pytest.approx(disc(15).sum(), rel=0.08)
    assert X[between].mean() == pytest.approx(0, abs=0.6)
    assert Y[between].mean() == pytest.approx(0, abs=0.6)


def test_a_sphere_comes_back():
    """Without any three of its nine slices it has its volume to a few per cent."""
    radii = np.sqrt(np.maximum(0, 30.0**2 - (EVEN - 20) ** 2))
    sphere = stack(*(disc(r) for r in radii))
    for k in range(1, 6):
        filled = fill_between(sphere, [k, k + 1, k + 2], EVEN, (1.0, 1.0))
        assert filled.sum() == pytest.approx(sphere.sum(), rel=0.06)


def test_without_a_good_slice_on_both_sides_nothing_is_made_up():
    mask = stack(*[disc(10)] * 4)
    filled = fill_between(mask, [0, 1, 3], EVEN[:4], (1.0, 1.0))
    assert filled.any(axis=(0, 1)).tolist() == [False, False, True, False]


def test_an_empty_slice_is_at_the_distance_given():
    assert (signed_distance(np.zeros((4, 5), dtype=bool), (1.0, 1.0), 3.0) == 3.0).all()


@pytest.mark.parametrize(
    ("shapes", "left_out", "at_mm"),
    [
        ((disc(10), disc(0), disc(16)), [1], [0, 5, 10]),
        ((disc(12), disc(0), disc(0)), [1], [0, 5, 10]),
        ((disc(0), disc(0), disc(5)), [1], [0, 2, 10]),
        ((disc(12), disc(0), disc(0), disc(0), disc(6)), [1, 2, 3], [0, 5, 10, 15, 20]),
        ((disc(9, -20), disc(0), disc(9, 20)), [1], [0, 5, 10]),
    ],
    ids=["both-sides", "ends-above", "ends-below", "three", "two-lesions"],
)
def test_the_lesions_area_changes_linearly(shapes, left_out, at_mm):
    """So that on the average no volume is won or lost, also where a lesion ends."""
    prob = stack(*shapes).astype(np.float32)
    bridged = bridge(left_out, at_mm).probability(prob, 0.5)
    areas = np.count_nonzero(prob >= 0.5, axis=(0, 1))
    good = [k for k in range(len(shapes)) if k not in left_out]
    for k in left_out:
        expected = np.interp(at_mm[k], np.take(at_mm, good), areas[good])
        assert np.count_nonzero(bridged[..., k] >= 0.5) == pytest.approx(expected, rel=0.15, abs=8)
    assert bridged.min() >= 0 and bridged.max() <= 1
    assert np.array_equal(bridged[..., good], prob[..., good])


def test_lesions_that_lie_apart_are_not_joined():
    """One ends below, another begins above: nothing lies between them, each goes halfway."""
    prob = stack(disc(9, -20), disc(0), disc(9, 20)).astype(np.float32)
    between = bridge([1], [0, 5, 10]).probability(prob, 0.5)[..., 1] >= 0.5
    assert not between[np.abs(X) < 10].any()
    assert between[X < 0].sum() == between[X > 0].sum() > 100


def test_no_lesion_beside_none_between():
    prob = np.full((20, 20, 3), 0.2, dtype=np.float32)
    assert not bridge([1], [0, 5, 10]).probability(prob, 0.5)[..., 1].any()


def test_values_are_mixed_by_distance_and_taken_whole_at_the_end():
    values = np.array([[[2.0, -9, -9, 8, -9]]], dtype=np.float32)
    mixed = bridge([1, 2, 4], [0, 1, 2, 4, 9]).mix(values)
    assert mixed[0, 0].tolist() == [2.0, 3.5, 5.0, 8.0, 8.0]


def test_what_is_left_out_is_given_to_those_that_stand_in():
    thickness = bridge([1, 2]).thickness_mm(np.full(9, 5.0))
    assert thickness.sum() == pytest.approx(45.0)
    assert thickness[[1, 2]].tolist() == [0, 0] and thickness[[0, 3]] == pytest.approx([10, 10])


def test_nothing_left_out_changes_nothing():
    prob = np.random.default_rng(0).random((5, 6, 9)).astype(np.float32)
    whole = bridge([])
    assert whole.mix(prob) is prob and whole.probability(prob, 0.5) is prob
    assert whole.thickness_mm(np.arange(1.0, 10.0)).tolist() == list(range(1, 10))
