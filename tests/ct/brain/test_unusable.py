"""Laws of unusable slices: the brain goes on across them, they are named, good ones never are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.brain.usable import blank_slices
from strokediff.ct.volume import CT

MIDDLE = 18  # of 34 slices; brain in 5 to 29


def spoil(volume: CT, slices, ruin: Callable[[np.ndarray, int], np.ndarray]) -> CT:
    hu = volume.hu.copy()
    for k in slices:
        hu[:, :, k] = ruin(hu[:, :, k].copy(), k)
    return replace(volume, hu=hu)


def constant(value: float):
    return lambda hu, k: np.full_like(hu, value)


def without(part: str, value: float = -1024.0):
    """The part of a slice that is not there, as fractions of rows and columns."""
    x0, x1, y0, y1 = {
        "rear": (0, 1, 0, 0.5),
        "front": (0, 1, 0.5, 1),
        "left": (0, 0.5, 0, 1),
        "rear third": (0, 1, 0, 0.4),
        "front third": (0, 1, 0.6, 1),
    }[part]

    def ruin(hu, k):
        nx, ny = hu.shape
        hu[int(x0 * nx) : int(x1 * nx), int(y0 * ny) : int(y1 * ny)] = value
        return hu

    return ruin


def streaks(hu, k):
    """A clip with its rays."""
    x, y = np.indices(hu.shape)
    x, y = x - hu.shape[0] // 2 + 12, y - hu.shape[1] // 2 - 6
    radius = np.hypot(x, y)
    hu = hu + 200 * np.sin(9 * np.arctan2(y, x)) * np.exp(-radius / 40)
    return np.where(radius < 3, 3071, hu)


def noise(hu, k):
    return hu + np.random.default_rng(k).normal(0, 60, hu.shape)


def salt_and_pepper(hu, k):
    rng = np.random.default_rng(k)
    hit = rng.random(hu.shape) < 0.3
    return np.where(hit, rng.choice([-1024, 3071], hu.shape), hu)


def motion(hu, k):
    """Seen twice, 18 mm apart."""
    return (hu + np.roll(hu, 10, axis=0)) / 2


@pytest.fixture(scope="module")
def coarse(make_head):
    return make_head(spacing_mm=1.8)


@pytest.fixture(scope="module")
def whole(coarse) -> BrainMask:
    return extract_brain(coarse.volume)


def goes_on(found: BrainMask, whole: BrainMask, slices, within: float = 0.01) -> None:
    assert found.volume_ml == pytest.approx(whole.volume_ml, rel=within)
    assert found.unusable_slices == tuple(slices)
    assert all(found.unusable.values())
    (told,) = [w for w in found.warnings if "could not be used" in w]
    for k in (min(slices), max(slices)):
        assert str(k + 1) in told  # counted from 1 at the bottom
    assert not found.truncated


def striped(hu, k):
    """Every other band of rows is lost."""
    return np.where((np.indices(hu.shape)[1] // 4) % 2, hu, -1024)


def rescaled(hu, k):
    """Read with half the slope."""
    return hu / 2


RUINS = {
    "air": constant(-1024),
    "zero": constant(0),
    "brain-like": constant(40),
    "rear missing": without("rear"),
    "front missing": without("front"),
    "side missing": without("left"),
    "rear third missing": without("rear third"),
    "front third zero": without("front third", 0.0),
    "streaks": streaks,
    "noise": noise,
    "salt": salt_and_pepper,
    "motion": motion,
    "air with noise": lambda hu, k: np.random.default_rng(k).normal(-1000, 12, hu.shape),
    "water with noise": lambda hu, k: np.random.default_rng(k).normal(0, 12, hu.shape),
    "moved": lambda hu, k: np.roll(hu, 25, axis=0),
    "stripes": striped,
    "other scale": rescaled,
    "inverted": lambda hu, k: -hu,
}


@pytest.mark.parametrize("ruin", RUINS.values(), ids=RUINS)
def test_the_brain_goes_on_across_an_unusable_slice(coarse, whole, ruin):
    goes_on(extract_brain(spoil(coarse.volume, [MIDDLE], ruin)), whole, [MIDDLE])


@pytest.mark.parametrize(
    ("slices", "ruin"),
    [
        ([8], "air"),
        ([26], "rear missing"),
        ([14, 15, 16, 17, 18], "zero"),
        ([20, 21, 22], "noise"),
        ([10, 11], "front missing"),
        ([9, 21, 22], "streaks"),
        ([12, 24], "air"),
    ],
    ids=lambda v: str(v).replace(" ", ""),
)
def test_wherever_they_are_and_several_in_a_row(coarse, whole, slices, ruin):
    found = extract_brain(spoil(coarse.volume, slices, RUINS[ruin]))
    goes_on(found, whole, slices, within=0.02)


@pytest.mark.parametrize(("here", "there"), [(MIDDLE, 7), (MIDDLE, 28), (25, 16), (12, 27)])
def test_a_slice_from_elsewhere_is_foreign(coarse, whole, here, there):
    other = coarse.volume.hu[:, :, there]
    goes_on(extract_brain(spoil(coarse.volume, [here], lambda hu, k: other)), whole, [here])


def test_every_slice_in_turn_may_be_the_one(coarse, whole):
    """Also the one with the largest section, where the walk would start."""
    areas = np.count_nonzero(whole.mask, axis=(0, 1))
    for k in (int(areas.argmax()), int(areas.argmax()) + 1, *range(7, 28, 5)):
        found = extract_brain(spoil(coarse.volume, [k], constant(-1000)))
        assert found.unusable_slices == (k,)
        assert found.volume_ml == pytest.approx(whole.volume_ml, rel=0.01)


@pytest.mark.parametrize("ruin", ["air", "rear missing", "streaks", "noise"])
def test_of_two_thin_slices_averaged_only_the_bad_one_is_named(make_head, ruin):
    thin = make_head(slice_mm=1.25, spacing_mm=2.2, z_mm=(-70.0, 70.0))
    found = extract_brain(spoil(thin.volume, [60], RUINS[ruin]))
    assert found.unusable_slices == (60,)
    truth = thin.volume.mask_volume_mm3(thin.brain) / 1000
    assert found.volume_ml == pytest.approx(truth, rel=0.05)


def test_tilted_heads_are_bridged_along_the_patient(make_head):
    head = make_head(tilt_deg=18.0, spacing_mm=1.8)
    slices = [15, 16, 17]
    mask = extract_brain(spoil(head.volume, slices, constant(-1024))).mask[:, :, slices]
    true = head.brain[:, :, slices]
    assert 2 * (mask & true).sum() / (mask.sum() + true.sum()) > 0.975


def test_blank_slices_at_the_ends_are_padding(coarse, whole):
    hu = np.pad(coarse.volume.hu, ((0, 0), (0, 0), (3, 4)), constant_values=-1024)
    increments = np.full(hu.shape[2], coarse.volume.slice_increments_mm[0])
    found = extract_brain(replace(coarse.volume, hu=hu, slice_increments_mm=increments))
    assert found.unusable == {} and found.warnings == () and not found.truncated
    assert np.array_equal(found.mask[:, :, 3:-4], whole.mask)


def test_a_whole_head_has_no_unusable_slice(coarse, whole):
    assert whole.unusable == {} and whole.warnings == ()
    assert blank_slices(coarse.volume) == {}


@pytest.mark.parametrize(
    ("k", "share"),
    [(7, 0.2), (8, 0.18), (10, 0.16), (12, 0.15), (20, 0.14), (24, 0.14)]
    + [(k, share) for k in (8, 12, 20, 24) for share in (0.25, 0.4)],
)
def test_a_lost_tenth_is_never_silent(coarse, k, share):
    """Bone in `share` of a section (0.14: 11 % of the brain; below the largest section 12 to 16 %,
    as much as a skull base may jut in) is told or bridged.
    """

    def wedge(hu, k):
        x, y = np.indices(hu.shape)
        angle = np.arctan2(y - hu.shape[1] / 2, x - hu.shape[0] / 2)
        return np.where((np.abs(angle) < share * np.pi) & (hu > -200), 900.0, hu)

    found = extract_brain(spoil(coarse.volume, [k], wedge))
    assert any(str(k + 1) in w for w in found.warnings), found.warnings


@pytest.mark.parametrize("gap", [range(12, 25), range(8, 19), range(16, 26)])
def test_brain_beyond_a_gap_that_is_too_long_is_told(coarse, gap):
    """Fat in place of the brain over 50 mm is neither a lapse to step over nor the brain's end."""

    def fat(hu, k):
        return np.where((hu > -50) & (hu < 150), -90.0, hu)

    found = extract_brain(spoil(coarse.volume, gap, fat))
    told = next(w for w in found.warnings if "ended early" in w)
    shown = found.mask.any(axis=(0, 1))
    lost = [k + 1 for k in range(5, 30) if k not in gap and not shown[k]]
    assert lost and f"{min(lost)}" in told, told
