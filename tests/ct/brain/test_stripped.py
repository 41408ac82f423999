"""Laws of skull-stripped heads: what is left is the brain, with a warning; nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from strokediff.ct.brain import extract_brain
from strokediff.ct.brain.stripped import with_skull
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError


@pytest.fixture(scope="module")
def coarse(make_head):
    """A head whose brain has folds, as a brain must to be one without its skull."""
    head = make_head(spacing_mm=1.8)
    x, y, _ = np.moveaxis(head.mm, -1, 0)
    sulci = (np.sin(x / 5) * np.sin(y / 6) > 0.75) & head.brain
    hu = np.where(sulci, head.volume.hu - 20, head.volume.hu).astype(np.float32)
    return replace(head, volume=replace(head.volume, hu=hu))


def stripped(head, *, rim_mm: float, background: float) -> CT:
    volume = head.volume
    depth = [
        ndimage.distance_transform_edt(a, sampling=volume.spacing_mm)
        for a in (~head.brain, head.brain)
    ]
    keep = depth[0] - depth[1] <= rim_mm
    return replace(volume, hu=np.where(keep, volume.hu, background).astype(np.float32))


@pytest.mark.parametrize("rim_mm", [-2.0, 0.0, 2.0, 4.0])
@pytest.mark.parametrize("background", [-1024.0, -1000.0, -2000.0, 0.0])
def test_what_is_left_is_the_brain(coarse, rim_mm, background):
    brain = extract_brain(stripped(coarse, rim_mm=rim_mm, background=background))
    true = coarse.brain.sum() * abs(np.linalg.det(coarse.volume.affine)) / 1000
    if rim_mm < 0:
        assert 0.85 * true < brain.volume_ml < true
    else:
        assert brain.volume_ml == pytest.approx(true, rel=0.06)
    assert 2 * (brain.mask & coarse.brain).sum() / (brain.mask.sum() + coarse.brain.sum()) > 0.93
    assert sum("skull-stripped" in w for w in brain.warnings) == 1
    assert not brain.truncated


def test_one_blank_slice_of_a_stripped_head_is_bridged(coarse):
    volume = stripped(coarse, rim_mm=0.0, background=-1024.0)
    whole = extract_brain(volume)
    hu = volume.hu.copy()
    hu[:, :, 18] = -1024.0
    brain = extract_brain(replace(volume, hu=hu))
    assert brain.volume_ml == pytest.approx(whole.volume_ml, rel=0.01)
    assert brain.unusable_slices == (18,)


def bottle(hu=20.0, sd=0.0):
    x, y, z = np.mgrid[-40:40, -40:40, -12:12]
    inside = (x / 32) ** 2 + (y / 34) ** 2 + (z / 11) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, sd, inside.shape)
    return np.where(inside, hu + noise, -1000.0)


@pytest.mark.parametrize(
    "image", [bottle(), bottle(35.0, 4.0), bottle(0.0, 4.0), bottle(60.0, 8.0)], ids=range(4)
)
def test_a_bottle_is_no_stripped_head(image):
    source = Source(Path("scan"), "array", image.shape, np.diag([2.2, 2.2, 5.0, 1.0]))
    with pytest.raises(InputError, match="no head found"):
        extract_brain(CT.from_source_array(image, source))


def test_whole_heads_are_none(coarse):
    """Nor those cropped to the head with one value around it."""
    assert with_skull(coarse.volume) == (coarse.volume, ())
    around = replace(
        coarse.volume, hu=np.where(coarse.head, coarse.volume.hu, -1024).astype(np.float32)
    )
    assert with_skull(around) == (around, ())
