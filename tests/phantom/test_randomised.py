"""Randomised phantoms are drawn within their ranges, applied as drawn, and recorded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from strokediff.errors import UsageError
from strokediff.phantom import make_phantom, write_cohort
from strokediff.phantom.acquisition import plan
from strokediff.phantom.artefacts import add_glow, in_slices
from strokediff.phantom.deform import CENTRE_MM, head_matrix
from strokediff.phantom.dura import add_dura, tentorium
from strokediff.phantom.make import Phantom
from strokediff.phantom.params import Parameters, draw_parameters
from strokediff.phantom.randomised import draw_dura, draw_randomised
from strokediff.phantom.template import wheel_atlas
from strokediff.phantom.variation import Glow, ScanStreak, Variation

SETTINGS: dict[str, Any] = {"matrix": 48, "slices": 4}


def drawn(seed: int) -> Parameters:
    return draw_randomised("infarct", np.random.default_rng(seed))


def varied(parameters: Parameters) -> Variation:
    assert parameters.variation
    return parameters.variation


@pytest.fixture(scope="module")
def randomised() -> Phantom:
    return make_phantom("hemorrhage", 5, randomise=True, **SETTINGS)


def test_ranges_are_reached_and_kept() -> None:
    made = [drawn(seed) for seed in range(600)]
    ranges = {
        "turn": ([max(map(abs, p.subject.rotation_deg)) for p in made], 0, 30),
        "noise": (
            [p.scanner.noise_hu * np.sqrt(5 / varied(p).thickness_mm) for p in made],
            1,
            8,
        ),
        "field of view": ([p.scanner.fov_mm for p in made], 215, 300),
        "offset": ([p.scanner.offset_hu for p in made], -5, 5),
        "thickness": ([varied(p).thickness_mm for p in made], 1, 8),
        "glow": ([varied(p).glow.hu for p in made], -3, 14),
        "blood": ([varied(p).dura.blood_hu for p in made], 46, 74),
    }
    for what, (values, low, high) in ranges.items():
        margin = 0.05 * (high - low)
        assert low - 1e-9 <= min(values) < low + 3 * margin, what
        assert high - margin < max(values) <= high + 1e-9, what
    each = np.array([p.subject.rotation_deg for p in made])
    assert (np.abs(each) > 20).mean(axis=0) == pytest.approx(1 / 6, abs=0.08)


def test_the_seed_fixes_everything_and_everything_is_recorded(randomised: Phantom) -> None:
    again = make_phantom("haemorrhage", 5, randomise=True, **SETTINGS)
    assert hashlib.sha256(again.hu).digest() == hashlib.sha256(randomised.hu).digest()
    recorded = json.loads(json.dumps(randomised.meta))["parameters"]["variation"]
    assert set(recorded) == {"thickness_mm", "sharpening", "glow", "dura", "streaks"}


def test_other_phantoms_say_nothing_of_it_and_draw_what_they_drew() -> None:
    usual = draw_parameters("infarct", np.random.default_rng(3))
    assert "variation" not in usual.as_dict()
    assert drawn(3).lesions == usual.lesions


@pytest.mark.parametrize("turned", [(30.0, 0.0, 0.0), (-30.0, 0.0, 0.0), (0.0, 30.0, 0.0)])
def test_the_scan_covers_a_head_however_it_leans(turned: tuple[float, float, float]) -> None:
    """The cavity's voxels lie between the lowest and the highest slice, but for a few."""
    parameters = drawn(0)
    parameters = replace(parameters, subject=replace(parameters.subject, rotation_deg=turned))
    grid = plan(parameters, 64, 5.0, 0.0, None)
    atlas = wheel_atlas()
    inside = np.argwhere(atlas.cavity[::4, ::4, ::4] > 0.5) * 4
    mni = inside + [float(axis.ravel()[0]) for axis in (atlas.x, atlas.y, atlas.z)]
    matrix, shift = head_matrix(parameters.subject)
    height = ((mni - CENTRE_MM) @ matrix.T + shift)[:, 2]
    low = grid.affine[2, 3]
    high = low + 5.0 * (grid.shape[2] - 1)
    assert ((height > low) & (height < high)).mean() > 0.995


def test_glow_is_what_was_drawn_beside_the_thickest_bone_and_little_in_the_middle() -> None:
    atlas = wheel_atlas()
    hu = np.where((atlas.depth > 0) & (atlas.depth < 6), 1000, 30).astype(np.float32)
    hu[(atlas.depth > 0) & (atlas.depth < 18) & (atlas.y < -80)] = 1000
    added = add_glow(hu, atlas, Glow(10.0, 8.0, 0.0, 0.0)) - hu
    rim = (atlas.depth < -1) & (atlas.depth > -4)
    assert np.percentile(added[rim], 95) == pytest.approx(10.0, rel=0.2)
    behind, front = rim & (atlas.y < -85), rim & (atlas.y > 40)
    assert added[behind].mean() > 1.5 * added[front].mean() > 0
    assert np.abs(added[atlas.depth < -40]).max() < 0.5
    assert not added[atlas.depth > 1].any()
    sided = add_glow(hu, atlas, Glow(10.0, 8.0, 90.0, 1.0)) - hu
    left, right = rim & (atlas.x < -40), rim & (atlas.x > 40)
    assert sided[left].mean() > 3 * sided[right].mean()


def test_dura_is_as_bright_as_drawn_between_cerebellum_and_cerebrum_and_nothing_gets_darker() -> (
    None
):
    atlas = wheel_atlas().inner
    dura = replace(draw_dura(np.random.default_rng(0)), opacity=1.0, blood_hu=60.0, plaques=())
    hu = np.full(atlas.shape, 30, np.float32)
    made = add_dura(hu, atlas, dura)
    assert made.min() == 30 and made.max() == pytest.approx(60)
    assert not (made - hu)[atlas.depth > 0].any()
    sheet = (tentorium(atlas, dura) > 0.5) & (atlas.depth < 0)
    z = np.broadcast_to(atlas.z, sheet.shape)[sheet]
    assert sheet.sum() > 2000 and z.min() > -32 and z.max() < 10
    torcula = (np.abs(atlas.x) < 2) & (np.abs(atlas.z + 14) < 2) & (atlas.depth > -2)
    assert made[torcula & (atlas.depth < -1) & (atlas.y < -70)].mean() > 50


def test_a_streak_lies_where_it_was_drawn() -> None:
    """Across the slices at 0.5 of the height, along y at 20 mm right of the middle."""
    plain = replace(varied(drawn(0)), sharpening=0.0)
    hu = np.full((80, 80, 11), 30, np.float32)
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    streak = ScanStreak(0.5, 4.0, 0.0, 21.0, 2.0, -8.0)
    added = in_slices(hu, affine, replace(plain, streaks=(streak,))) - hu
    assert np.allclose(added[50, :, 5], -8.0, atol=0.01)
    assert np.abs(added[40, :, 5]).max() < 0.1 > np.abs(added[:, :, 9]).max()
    assert np.array_equal(in_slices(hu, affine, replace(plain, streaks=())), hu)


def test_a_cohort_says_that_it_is_randomised_and_what_its_labels_show(tmp_path: Path) -> None:
    """Slices are as thick as drawn; the same folder takes no other phantoms."""
    (image,) = write_cohort(1, "haemorrhage", tmp_path, randomise=True, **SETTINGS)
    assert image.name == "hemorrhage_0000.nii.gz"
    content = json.loads((tmp_path / "cohort.json").read_text())
    assert content["labels"] == {"haemorrhage": 1}
    assert content["settings"]["randomise"] is True
    (case,) = content["cases"]
    thickness = case["parameters"]["variation"]["thickness_mm"]
    assert case["slice_thickness_mm"] == thickness
    assert nib.load(image).header.get_zooms()[2] == pytest.approx(thickness)
    with pytest.raises(UsageError, match="other settings.*randomise"):
        write_cohort(1, "hemorrhage", tmp_path, **SETTINGS)
