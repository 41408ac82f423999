"""Laws of one phantom: same seed, same bytes; tissues in range; truth that fits the image."""

import json

import numpy as np
import pytest
from scipy import ndimage

from strokediff.errors import UsageError
from strokediff.phantom import make_phantom
from strokediff.phantom.params import draw_parameters


def test_the_same_seed_gives_the_same_bytes(infarct):
    """A phantom is a pure function of its arguments."""
    again = make_phantom("infarct", (3, 0), matrix=infarct.hu.shape[0])
    assert again.hu.tobytes() == infarct.hu.tobytes()
    assert again.lesion.tobytes() == infarct.lesion.tobytes()
    assert again.brain.tobytes() == infarct.brain.tobytes()
    assert again.meta == infarct.meta


def test_another_index_is_another_patient(infarct):
    """Seeds (s, i) and (s, j) draw_parameters different parameters."""
    rng = [np.random.default_rng(np.random.SeedSequence((3, i))) for i in (0, 1)]
    assert draw_parameters("infarct", rng[0]) != draw_parameters("infarct", rng[1])


def test_grid_is_canonical_and_covers_the_head(infarct):
    """RAS axes, 5 mm slices, 225-250 mm field of view, brain neither at the top nor empty."""
    x, y, _ = infarct.hu.shape
    spacing = np.linalg.norm(infarct.affine[:3, :3], axis=0)
    assert (np.diag(infarct.affine)[:3] > 0).all()
    assert spacing[2] == pytest.approx(5.0)
    assert 225 < spacing[0] * x < 251
    assert x == y
    assert not infarct.brain[:, :, -1].any()
    assert infarct.brain.any(axis=(0, 1)).sum() > 22
    assert infarct.hu.dtype == np.int16


def test_tissue_lies_in_its_range(infarct):
    """Median of the brain 20-45 HU, bone above 600 HU around it, air outside."""
    deep = ndimage.binary_erosion(infarct.brain, iterations=2)
    assert 20 < np.median(infarct.hu[deep]) < 45
    shell = ndimage.binary_dilation(infarct.brain, iterations=3) & ~infarct.brain
    assert np.percentile(infarct.hu[shell], 60) > 300
    assert abs(np.median(infarct.hu[:3, -3:]) + 1000) < 25
    fluid = deep & (ndimage.uniform_filter(infarct.hu.astype(float), (3, 3, 1)) < 14)
    assert fluid.sum() > 20


@pytest.mark.parametrize("kind", ["infarct", "hemorrhage"])
def test_brain_holds_the_lesion_and_has_a_human_volume(kind, request):
    """The lesion lies in the cavity; the cavity has 900-2,000 mL."""
    phantom = request.getfixturevalue({"infarct": "infarct", "hemorrhage": "haemorrhage"}[kind])
    assert phantom.lesion.any()
    outside = phantom.lesion & ~phantom.brain
    assert outside.sum() <= 0.03 * phantom.lesion.sum()
    assert 900 < phantom.meta["brain_volume_ml"] < 2000


def test_volume_is_count_times_voxel(infarct, haemorrhage):
    """`lesion_volume_ml` = count x |det|; the fine volume agrees within partial volume."""
    for phantom in (infarct, haemorrhage):
        voxel = abs(np.linalg.det(phantom.affine[:3, :3])) / 1000
        volume = phantom.meta["lesion_volume_ml"]
        assert volume == pytest.approx(phantom.lesion.sum() * voxel, abs=1e-3)
        assert phantom.meta["lesion_volume_fine_ml"] == pytest.approx(volume, rel=0.25, abs=0.3)


def test_infarct_is_darker_and_haematoma_brighter_than_brain(infarct, haemorrhage):
    """Sign of the contrast; a haematoma's core has 45-85 HU."""
    for phantom, low, high in ((infarct, -25, -1), (haemorrhage, 12, 60)):
        core = ndimage.binary_erosion(phantom.lesion, np.ones((3, 3, 1)))
        core = core if core.any() else phantom.lesion
        near = ndimage.binary_dilation(phantom.lesion, iterations=8) & phantom.brain
        near &= ~ndimage.binary_dilation(phantom.lesion, iterations=3)
        difference = np.median(phantom.hu[core]) - np.median(phantom.hu[near])
        assert low < difference < high
    core = ndimage.binary_erosion(haemorrhage.lesion, np.ones((3, 3, 1)))
    assert 45 < np.median(haemorrhage.hu[core]) < 85


def test_empty_fraction_one_leaves_no_lesion():
    """Patients without a lesion exist, only when asked for; `slices` limits the stack."""
    phantom = make_phantom("infarct", (3, 0), matrix=48, slices=6, empty_fraction=1.0)
    assert phantom.hu.shape == (48, 48, 6)
    assert not phantom.lesion.any()
    assert phantom.meta["lesion_volume_ml"] == 0
    assert phantom.meta["parameters"]["lesions"] == ()


def test_tilt_shears_the_affine_and_keeps_the_brain(infarct):
    """With a tilted gantry, planes are oblique, the table moves along z, the volume stays."""
    tilted = make_phantom("infarct", (3, 0), matrix=64, tilt_deg=15.0)
    normal = np.cross(tilted.affine[:3, 0], tilted.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    assert normal[2] == pytest.approx(np.cos(np.deg2rad(15)))
    assert tilted.affine[:3, 2] @ normal == pytest.approx(5.0)
    assert tilted.affine[:2, 2] == pytest.approx([0, 0])
    # The cut at the foramen magnum meets other slices, so the volume may move a little.
    upright = infarct.meta["brain_volume_ml"]
    assert tilted.meta["brain_volume_ml"] == pytest.approx(upright, rel=0.04)


def test_meta_is_json(infarct):
    """Everything that was drawn can be written and read."""
    assert json.loads(json.dumps(infarct.meta))["parameters"]["subject"]["grey_hu"] > 30


def test_bad_arguments_are_explained():
    """Unknown kind and tiny matrix are usage errors."""
    with pytest.raises(UsageError, match="unknown kind 'tumour'"):
        make_phantom("tumour", 0)
    with pytest.raises(UsageError, match="at least 32"):
        make_phantom("infarct", 0, matrix=8)
