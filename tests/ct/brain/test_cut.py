"""Laws of a brain that the scan cuts: by its last slice, by blank ones, rows, columns, a circle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from strokediff.ct.brain import extract_brain


@pytest.fixture(scope="module")
def coarse(make_head):
    return make_head(spacing_mm=1.8)


def blanked(volume, slices, value):
    hu = volume.hu.copy()
    hu[:, :, slices] = value
    return replace(volume, hu=hu)


@pytest.mark.parametrize(
    ("slices", "told"),
    [
        (slice(24, None), "ends below the vertex.*top slice that shows anything \\(24\\)"),
        (slice(20, None), "ends below the vertex.*\\(20\\)"),
        (slice(None, 12), "begins above the foramen magnum.*\\(13\\)"),
    ],
    ids=["top", "far-down", "bottom"],
)
@pytest.mark.parametrize("value", [-1024.0, 0.0, -2000.0])
def test_blank_slices_beyond_a_cut_brain_do_not_hide_it(coarse, slices, told, value):
    brain = extract_brain(blanked(coarse.volume, slices, value))
    assert brain.truncated
    (warning,) = brain.warnings
    pytest.importorskip("re").search(told, warning) or pytest.fail(warning)
    assert brain.unusable == {}


SIDES = {
    "front": lambda x, y: y > 70,
    "back": lambda x, y: y < -70,
    "left": lambda x, y: x < -50,
    "right": lambda x, y: x > 50,
    "circle": lambda x, y: np.hypot(x, y) > 72,
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("value", [-1024.0, -3024.0])
def test_padding_in_the_field_of_view_cuts_as_the_border_does(coarse, side, value):
    x, y, _ = np.moveaxis(coarse.mm, -1, 0)
    missing = SIDES[side](x, y)
    hu = np.where(missing, value, coarse.volume.hu).astype(np.float32)
    brain = extract_brain(replace(coarse.volume, hu=hu))
    assert brain.truncated
    assert any("field of view cuts it" in w for w in brain.warnings)
    left = coarse.brain & ~missing
    assert 2 * (brain.mask & left).sum() / (brain.mask.sum() + left.sum()) > 0.95


def test_a_whole_head_in_padding_is_not_cut(coarse):
    x, y, _ = np.moveaxis(coarse.mm, -1, 0)
    hu = np.where(np.hypot(x, y) > 104, -2000.0, coarse.volume.hu).astype(np.float32)
    brain = extract_brain(replace(coarse.volume, hu=hu))
    assert not brain.truncated and brain.warnings == ()
