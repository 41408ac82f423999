"""Laws of brain extraction: what is inside, what stays out, what must not matter, what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strokediff.ct.brain import extract_brain
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError

SHARED = Path(__file__).parents[4] / "shared" / "data"


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


def with_hu(volume, hu):
    return replace(volume, hu=np.ascontiguousarray(hu, dtype=np.float32))


def as_volume(hu, spacing=(1.0, 1.0, 5.0)):
    source = Source(Path("scan"), "array", hu.shape, np.diag([*spacing, 1.0]))
    return CT.from_source_array(hu, source)


@pytest.fixture(scope="module")
def found(head):
    return extract_brain(head.volume)


@pytest.mark.parametrize(
    "grid",
    [
        {},
        {"slice_mm": 9.0},
        {"slice_mm": 1.25, "spacing_mm": 2.0},
        {"tilt_deg": 18.0},
        {"tilt_deg": -18.0},
        {"spacing_mm": 0.6, "slice_mm": 8.0},
    ],
    ids=["5mm", "9mm", "thin", "tilt", "tilt-back", "fine-pixels"],
)
def test_analytical_head_is_found(make_head, grid):
    """Dice >= 0.97 against the analytical cavity on every sort of grid, and its volume."""
    head = make_head(**grid)
    brain = extract_brain(head.volume)
    assert dice(brain.mask, head.brain) >= 0.97
    assert brain.volume_ml == pytest.approx(
        head.volume.mask_volume_mm3(head.brain) / 1000, rel=0.05
    )
    assert not brain.warnings
    assert not brain.truncated


def test_mask_has_the_volumes_grid_and_is_deterministic(head, found):
    again = extract_brain(head.volume)
    assert found.mask.dtype == np.bool_
    assert found.mask.shape == head.volume.hu.shape
    assert np.array_equal(found.mask, again.mask)


def test_left_and_right_are_alike(head, found):
    flipped = extract_brain(with_hu(head.volume, head.volume.hu[::-1])).mask[::-1]
    assert dice(flipped, found.mask) > 0.99


def test_padding_below_air_does_not_matter(head, found):
    """Scanners pad with -1024, -1500, -3024: all of it is air."""
    padded = np.where(head.head, head.volume.hu, -3024)
    assert np.array_equal(extract_brain(with_hu(head.volume, padded)).mask, found.mask)


def test_nothing_outside_the_skull(head, found):
    """No scalp, eye, neck or skull: beyond the cavity nothing but a rim of partial bone."""
    assert not (found.mask & ~head.head).any()
    assert not found.mask[head.ball((30, 88, -40), 12) & ~head.brain].any()
    outside = found.mask & ~head.brain
    assert head.volume.mask_volume_mm3(outside) < 0.02 * head.volume.mask_volume_mm3(head.brain)


def test_spinal_canal_is_cut_at_the_foramen(head, found):
    assert not found.mask[head.mm[..., 2] < -75].any()


@pytest.mark.parametrize("centre", [(25, 10, 20), (52, 0, 10)], ids=["deep", "at-the-skull"])
def test_haemorrhage_stays_inside(head, centre):
    blood = head.ball(centre, 14) & head.brain
    hu = np.where(blood, head.volume.hu + 35, head.volume.hu)
    mask = extract_brain(with_hu(head.volume, hu)).mask
    assert np.count_nonzero(mask & blood) >= 0.97 * np.count_nonzero(blood)


@pytest.mark.parametrize("hu", [400.0, 2500.0], ids=["calcified", "metal"])
@pytest.mark.parametrize("radius", [4.0, 11.0])
def test_bright_islands_are_filled(head, found, hu, radius):
    """A calcification or a coil inside leaves no hole."""
    island = head.ball((22, -15, 22), radius)
    mask = extract_brain(with_hu(head.volume, np.where(island, hu, head.volume.hu))).mask
    assert mask[island].all()
    assert dice(mask, found.mask) > 0.99


def test_skull_defect_is_closed(head, found):
    """Across a gap of 6 cm in the bone the contour neither leaks out nor caves in."""
    gap = head.ball((75, 0, 20), 32) & (head.volume.hu > 300)
    mask = extract_brain(with_hu(head.volume, np.where(gap, 40.0, head.volume.hu))).mask
    assert dice(mask, found.mask) > 0.98


def test_slices_saved_through_a_brain_window(head, found):
    """8-bit slices hold 0-80 HU only: bone is cut to 80, fat and air to 0."""
    levels = np.round(np.clip(head.volume.hu, 0, 80) / 80 * 255) / 255 * 80
    mask = extract_brain(with_hu(head.volume, levels)).mask
    assert dice(mask, found.mask) > 0.97


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_slices_are_enough(head, found, count):
    middle = slice(17, 17 + count)
    volume = replace(
        with_hu(head.volume, head.volume.hu[:, :, middle]),
        slice_increments_mm=head.volume.slice_increments_mm[middle],
    )
    brain = extract_brain(volume)
    assert dice(brain.mask, found.mask[:, :, middle]) > 0.98
    assert brain.truncated


def test_cut_vertex_is_told(make_head):
    brain = extract_brain(make_head(z_mm=(-85.0, 30.0)).volume)
    assert brain.truncated
    assert any("ends below the vertex" in w for w in brain.warnings)


def test_cut_field_of_view_is_told(head):
    volume = with_hu(head.volume, head.volume.hu)
    brain = extract_brain(with_hu(volume, np.roll(volume.hu, 40, axis=0)))
    assert brain.truncated
    assert any("touches the side" in w for w in brain.warnings)


def test_implausible_volume_is_told(head):
    wide = head.volume.affine.copy()
    wide[:3, :3] *= 1.3
    brain = extract_brain(
        replace(head.volume, affine=wide, slice_increments_mm=head.volume.slice_increments_mm * 1.3)
    )
    assert brain.volume_ml > 1800
    assert any("900-1800 mL is usual" in w for w in brain.warnings)


def _air():
    return np.full((64, 64, 8), -1000.0)


def _bottle():
    x, y = np.mgrid[-32:32, -32:32]
    return np.repeat(np.where(np.hypot(x, y) < 26, 20.0, -1000.0)[:, :, None], 8, axis=2)


def _empty_skull():
    x, y = np.mgrid[-32:32, -32:32]
    ring = np.abs(np.hypot(x, y) - 26) < 3
    return np.repeat(np.where(ring, 900.0, -1000.0)[:, :, None], 8, axis=2)


@pytest.mark.parametrize("image", [_air, _bottle, _empty_skull])
def test_no_head_is_refused(image):
    """Air, a water bottle and a dry skull: a sentence with what was expected and what to do."""
    with pytest.raises(InputError, match=r"scan: no head found\. Expected a CT of the head.*Check"):
        extract_brain(as_volume(image(), spacing=(3.0, 3.0, 5.0)))


@pytest.mark.parametrize("kind", ["infarct", "hemorrhage"])
def test_phantoms_cavity_is_found(kind):
    """Dice >= 0.97 against the phantom's own truth."""
    phantom = pytest.importorskip("strokediff.phantom.make").make_phantom(kind, 1, matrix=192)
    source = Source(Path("phantom"), "array", phantom.hu.shape, phantom.affine)
    mask = extract_brain(CT.from_source_array(phantom.hu, source)).mask
    assert dice(mask, phantom.brain) >= 0.97
    assert np.count_nonzero(phantom.lesion & ~mask) <= 0.02 * max(50, phantom.lesion.sum())


@pytest.mark.parametrize("name", ["ge-head-dicom", "aisd-dicom"])
def test_real_heads(name):
    """900-1,800 mL without skull, and the brain in every slice of the vault."""
    if not (SHARED / name).is_dir():
        pytest.skip("the real heads are not at hand")
    dicom = pytest.importorskip("strokediff.ct.dicom.read")
    volume = dicom.read_dicom_series(SHARED / name)
    brain = extract_brain(volume)
    assert 900 < brain.volume_ml < 1800
    assert np.mean(volume.hu[brain.mask] > 150) < 0.015
    assert not brain.truncated


def test_dry_skull_phantom_is_refused():
    if not (SHARED / "tilted-phantom-dicom").is_dir():
        pytest.skip("the scanned skull phantom is not at hand")
    dicom = pytest.importorskip("strokediff.ct.dicom.read")
    with pytest.raises(InputError, match="no head found"):
        extract_brain(dicom.read_dicom_series(SHARED / "tilted-phantom-dicom"))
