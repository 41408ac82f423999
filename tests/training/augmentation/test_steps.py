"""Applied is what was drawn: turns in degrees, shifts in mm and HU, noise of the drawn level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from strokediff.ct.midline import Midline
from strokediff.training.augmentation.edge import Edge
from strokediff.training.augmentation.fields import Cupping, Patches, Streak, Values
from strokediff.training.augmentation.pose import Bend, Pose
from strokediff.training.augmentation.texture import Kernel, Noise, Pixels, Thickness
from strokediff.training.augmentation.view import View

SIDE = 96
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
INSIDE = np.asarray((ROWS / 40) ** 2 + (COLUMNS / 34) ** 2 < 1, np.float32)


def view_of(image: NDArray[np.float32], kinds: int = 1, neighbours: int = 0) -> View:
    """The same image in every slice; the label is where it is above 0.5."""
    x = np.repeat((image * INSIDE)[None].astype(np.float32), 1 + 2 * neighbours, 0)
    y = np.repeat((x[:1] > 0.5).astype(np.float32), kinds, 0)
    return View(x, np.repeat(INSIDE[None], len(x), 0), y, spacing_mm=2.0, unit_hu=40.0)


def principal_angle(weight: NDArray[np.float32]) -> float:
    """Of a bar, from rows towards columns, in degrees modulo 180."""
    r, c = ROWS - np.average(ROWS, weights=weight), COLUMNS - np.average(COLUMNS, weights=weight)
    rr, cc, rc = (np.average(a, weights=weight) for a in (r * r, c * c, r * c))
    return float(np.rad2deg(0.5 * np.arctan2(2 * rc, rr - cc)))


def bar() -> NDArray[np.float32]:
    return np.asarray((np.abs(ROWS) < 24) & (np.abs(COLUMNS) < 3), np.float32)


@pytest.mark.parametrize("turn", [-30.0, 20.0])
@pytest.mark.parametrize("flip", [False, True])
def test_a_bar_turns_by_the_drawn_angle_with_its_label(turn: float, flip: bool) -> None:
    moved = Pose(rotation_deg=turn, flip=flip).apply(view_of(bar()))
    for shown in (moved.x[0].clip(0, 1), moved.y[0]):
        assert principal_angle(shown) == pytest.approx(turn, abs=0.5)


def test_shift_scale_and_flip_move_what_is_seen_as_drawn() -> None:
    """A disc 20 mm right of the middle, by 10 mm and -6 mm, of sides 1.15 and 0.9."""
    disc = np.asarray(ROWS**2 + (COLUMNS - 10) ** 2 < 36, np.float32)
    moved = Pose(scale=(1.15, 0.9), shift_mm=(10.0, -6.0), flip=True).apply(view_of(disc))
    for shown in (moved.x[0], moved.y[0]):
        middle = [np.average(a, weights=shown) * 2.0 for a in (ROWS, COLUMNS)]
        assert middle == pytest.approx([10.0, -0.9 * 20 - 6.0], abs=0.6)
        assert shown.sum() == pytest.approx(disc.sum() * 1.15 * 0.9, rel=0.05)


@pytest.mark.parametrize("kinds", [1, 2, 3])
@pytest.mark.parametrize(
    "pose",
    [
        Pose(17.0, (1.1, 0.9), (5.0, -7.0), True),
        Pose(-25.0, bend=Bend(2.0, 40.0, 3)),
    ],
)
def test_lesion_and_label_move_together_and_masks_stay_masks(pose: Pose, kinds: int) -> None:
    lesion = np.asarray((ROWS + 8) ** 2 / 60 + (COLUMNS - 12) ** 2 / 140 < 1, np.float32)
    moved = pose.apply(view_of(lesion, kinds, neighbours=1))
    assert moved.y.shape[0] == kinds
    for label in moved.y:
        seen = moved.x[0] > 0.5
        overlap = 2 * (seen * label).sum() / (seen.sum() + label.sum())
        assert overlap > 0.93
    assert set(np.unique(moved.m)) <= {0.0, 1.0} and set(np.unique(moved.y)) <= {0.0, 1.0}
    assert np.array_equal(moved.x[0], moved.x[1])


def test_the_mirror_image_is_that_of_what_is_seen_however_it_is_turned() -> None:
    """Mirror, then turn, is turn, then mirror about the turned line."""
    rng = np.random.default_rng(0)
    image = np.asarray(rng.normal(size=(8, 8)), np.float32).repeat(12, 0).repeat(12, 1) / 4
    line = Midline(angle=6.0, offset=0.03).reflection(SIDE)
    own = replace(view_of(image), mirror=line)
    other = replace(own, x=line(own.x[0])[None], m=line(own.m[0], order=0)[None])
    pose = Pose(22.0, (1.05, 0.95), (4.0, -6.0), True)
    x, m = pose.apply(own).seen()
    mirrored = pose.apply(other)
    both = (m[1] * mirrored.m[0]) > 0
    assert both.sum() > 0.95 * m[1].sum()
    assert np.abs(x[1] - mirrored.x[0])[both].mean() < 0.03 < 0.1 < np.abs(image).mean()


def test_the_mirror_image_has_the_slices_noise_and_neighbours_have_their_own() -> None:
    view = replace(view_of(0 * bar(), neighbours=1), mirror=Midline().reflection(SIDE))
    x, _ = Noise(4.0, 0.0, 0.0, 1).apply(view).seen()
    assert np.allclose(x[3], x[0][:, ::-1], atol=1e-6)
    assert abs(np.corrcoef(x[0].ravel(), x[1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("hu", [-4.0, 3.0])
def test_a_shift_in_hu_and_a_factor_are_exact(hu: float) -> None:
    view = view_of(0.5 * bar())
    assert np.allclose((Values(1.0, hu).apply(view).x - view.x) * 40, hu, atol=1e-5)
    assert np.allclose(Values(1.12).apply(view).x, 1.12 * view.x)


@pytest.mark.parametrize(
    ("width", "sharp", "beside"), [(0.0, 0.0, 0.0), (2.0, 0.0, 0.78), (1.5, 2.0, -0.17)]
)
def test_noise_has_the_drawn_level_and_kernel(width: float, sharp: float, beside: float) -> None:
    """Pixels side by side are alike by exp(-1 / 4 s^2) after smoothing by s, unlike if sharpened"""
    made = Noise(5.0, width, sharp, 7).apply(view_of(0 * bar(), neighbours=2)).x * 40
    assert made.std() == pytest.approx(5.0, rel=0.05)
    alike = np.corrcoef(made[..., 1:].ravel(), made[..., :-1].ravel())[0, 1]
    assert alike == pytest.approx(beside, abs=0.05)


def test_cupping_is_as_drawn_at_the_edge_and_falls_off_with_depth() -> None:
    view = view_of(0 * bar())
    hu = Cupping(10.0, 12.0).apply(view).x[0] * 40
    edge = INSIDE * (1 - Edge(-2.1).apply(view).m[0]) > 0
    assert hu[edge].mean() == pytest.approx(10.0 * np.exp(-2.0 / 12), abs=1.2)
    assert hu[SIDE // 2, SIDE // 2] == pytest.approx(10.0 * np.exp(-68.0 / 12), abs=0.1)
    low, high = (replace(view, height=height) for height in (0.0, 1.0))
    assert np.allclose(Cupping(10.0, 12.0, lower=1.0).apply(low).x[0] * 40, hu, atol=1e-4)
    assert not Cupping(10.0, 12.0, lower=1.0).apply(high).x.any()


def test_cupping_of_one_side_is_on_that_side() -> None:
    hu = Cupping(10.0, 12.0, towards_deg=90.0).apply(view_of(0 * bar())).x[0] * INSIDE
    assert hu[:, SIDE // 2 :].sum() > 3 * hu[:, : SIDE // 2].sum()


def test_a_streak_runs_between_its_two_places_and_fades_from_slice_to_slice() -> None:
    """From the left edge to the right through the middle."""
    made = Streak(-6.0, 90.0, 270.0, 3.0, 0.5).apply(view_of(0 * bar(), neighbours=1)).x * 40
    middle = slice(SIDE // 2 - 1, SIDE // 2 + 1)
    assert np.allclose(made[0, middle, 20:-20], -6.0, atol=0.4)
    assert np.abs(made[0, 30]).max() < 0.1
    assert np.allclose(made[1], 0.5 * made[0])


def test_patches_have_the_drawn_level_and_no_grain() -> None:
    made = [Patches(2.0, 30.0, n).apply(view_of(0 * bar())).x * 40 for n in range(60)]
    assert np.std(made) == pytest.approx(2.0, rel=0.15)
    assert np.abs(np.diff(made, axis=-1)).mean() < 0.4


@pytest.mark.parametrize(
    ("step", "more"), [(Kernel(3.0, -1.0), False), (Kernel(3.0, 1.0), True), (Pixels(2.0), False)]
)
def test_kernels_and_pixels_change_edges_and_not_what_is_even(step: Kernel, more: bool) -> None:
    even = view_of(0.3 * np.ones((SIDE, SIDE), np.float32))
    assert np.allclose(step.apply(even).x, even.x, atol=1e-5)
    view = view_of(0.6 * bar())
    steep = [
        np.abs(np.diff(v.x[0], axis=1))[10:-10, 10:-10].max() for v in (step.apply(view), view)
    ]
    assert (steep[0] > 1.1 * steep[1]) if more else (steep[0] < 0.8 * steep[1])


def test_a_thick_slice_takes_its_share_of_its_neighbours_where_they_are() -> None:
    """Values 1, 2, 3 from below to above, the slice itself in the middle, and none below it."""
    view = view_of(0 * bar(), neighbours=1)
    x = view.x + np.array([0.2, 0.1, 0.6], np.float32)[:, None, None]
    m = view.m.copy()
    inside = m[0] > 0
    made = Thickness(0.25).apply(replace(view, x=x)).x
    assert np.allclose(made[0][inside], 0.25 * 0.1 + 0.5 * 0.2 + 0.25 * 0.6)
    assert np.allclose(made[1][inside], (0.5 * 0.1 + 0.25 * 0.2) / 0.75)
    m[1] = 0
    made = Thickness(0.25).apply(replace(view, x=x, m=m)).x
    assert np.allclose(made[0][inside], (0.5 * 0.2 + 0.25 * 0.6) / 0.75)
    assert np.array_equal(Thickness(0.25).apply(view_of(bar())).x, view_of(bar()).x)


@pytest.mark.parametrize("by_mm", [-2.0, 4.0])
def test_the_edge_moves_by_the_drawn_distance(by_mm: float) -> None:
    wide = [
        int(m[SIDE // 2].sum())
        for m in (view_of(bar()).m[0], Edge(by_mm).apply(view_of(bar())).m[0])
    ]
    assert (wide[1] - wide[0]) * 2.0 / 2 == by_mm
