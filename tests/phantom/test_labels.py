"""Label maps and real masks as sources: classes keep their HU, outlines keep their volume."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from strokediff.errors import InputError
from strokediff.phantom import make_phantom
from strokediff.phantom.labels import label_atlases
from strokediff.phantom.masks import MaskShapes, smooth_outline
from strokediff.phantom.params import draw_infarcts
from strokediff.phantom.template import wheel_atlas


def nested_head():
    """Ellipsoids in one another: white, grey, CSF, bone, scalp, skin; ventricles in the middle."""
    x, y, z = np.meshgrid(*[np.arange(n) - n // 2 for n in (176, 204, 190)], indexing="ij")
    r = np.sqrt((x / 70.0) ** 2 + (y / 84.0) ** 2 + (z / 74.0) ** 2)
    labels = np.zeros(r.shape, dtype=np.int16)
    for outer, label in ((1.22, 511), (1.19, 507), (1.10, 515), (1.0, 24), (0.96, 3), (0.85, 2)):
        labels[r < outer] = label
    labels[(labels == 3) & (x > 0)] = 42
    labels[(labels == 2) & (x > 0)] = 41
    labels[r < 0.2] = 4
    return labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("labels")
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    nib.save(nib.Nifti1Image(nested_head()[::-1], affine), out / "head_01.nii.gz")
    return out


def test_label_map_gives_a_head(folder):
    """Brain volume near the ellipsoid's at the template's scale; tissue and skull in range."""
    phantom = make_phantom(
        "infarct", (1, 0), matrix=64, empty_fraction=1.0, atlases=label_atlases(folder)
    )
    assert phantom.meta["anatomy"] == "head_01"
    assert 700 < phantom.meta["brain_volume_ml"] < 2000
    assert 20 < np.median(phantom.hu[phantom.brain]) < 45
    assert phantom.hu.max() > 700
    assert abs(int(phantom.hu[0, -1, -1]) + 1000) < 40


def test_folder_without_label_maps_is_refused(tmp_path):
    with pytest.raises(InputError, match="no label maps found"):
        label_atlases(tmp_path)


def test_brain_only_label_map_is_refused(tmp_path):
    """A map without skull and scalp cannot become a head."""
    nib.save(nib.Nifti1Image(np.full((8, 8, 8), 2, np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"a\.nii\.gz: not a whole-head label map"):
        label_atlases(tmp_path)[0].load()


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    """Two balls of 4 and 14 mL on the right, in an MNI grid of 1 mm."""
    out = tmp_path_factory.mktemp("lesions")
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-78, -112, -50)
    x, y, z = (np.arange(n) + o for n, o in zip((157, 189, 136), affine[:3, 3], strict=True))
    for name, radius in (("a", 10.0), ("b", 15.0)):
        ball = (x[:, None, None] - 40) ** 2 + (y[:, None] + 15) ** 2 + (z - 30) ** 2 < radius**2
        nib.save(nib.Nifti1Image(ball.astype(np.uint8), affine), out / f"{name}_lesion.nii.gz")
    return out


@pytest.mark.parametrize("side", [-1, 1])
def test_mask_lies_where_it_was_drawn_or_mirrored(masks, side):
    """The mask that fits the wanted volume is taken, put on the wanted side, volume kept."""
    atlas = wheel_atlas().inner
    lesion = replace(draw_infarcts(np.random.default_rng(1), None)[0], side=side, volume_ml=14.0)
    soft = MaskShapes.from_folder(masks).shape(lesion, atlas)
    inside = soft >= 0.5
    assert inside.sum() / 1000 == pytest.approx(14.1, rel=0.15)
    centre = [
        np.average(a.ravel(), weights=inside.sum(axis=axes))
        for a, axes in ((atlas.x, (1, 2)), (atlas.y, (0, 2)), (atlas.z, (0, 1)))
    ]
    assert np.allclose(centre, (40 * side, -15, 30), atol=2)


def test_tiny_masks_survive_smoothing():
    """Blur never makes a lesion vanish."""
    mask = np.zeros((12, 12, 12), bool)
    mask[5:7, 5:7, 5:7] = True
    assert (smooth_outline(mask, 1.5) >= 0.499).sum() == 8


def test_folder_without_masks_is_refused(tmp_path):
    with pytest.raises(InputError, match="no lesion masks found"):
        MaskShapes.from_folder(tmp_path)
