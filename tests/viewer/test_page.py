"""Laws of the page: nothing is fetched, no text is trusted, no face, masks are those found."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from records import record
from scipy import ndimage

from strokediff.ct.regular_grid import regular_grid
from strokediff.ct.volume import CT, Source
from strokediff.result.figures import KindFigures, Lesion
from strokediff.viewer.images import AROUND_MM, HU, SIDE, shown_ct, shown_labels, shown_probability
from strokediff.viewer.page import render_viewer, write_viewer

AFFINE = np.array([[0.7, 0, 0, -90], [0, 0.7, -1.2, -80], [0, 0, 5, 10], [0, 0, 0, 1.0]])


def image_of(text: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def head(side: int = 60) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Noise of -500 to 500 HU everywhere, and a brain in its middle."""
    x, y, z = np.ogrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j, -1:1:9j]
    hu = np.random.default_rng(0).uniform(-500, 500, (side, side, 9)).astype(np.float32)
    return hu, np.asarray(x**2 + y**2 + z**2 < 0.4)


def test_beyond_the_rim_of_the_brain_there_is_air() -> None:
    hu, brain = head()
    image = image_of(shown_ct(hu, brain, AFFINE).base64)
    values = np.asarray(image.dataobj)
    sampling = np.linalg.norm(AFFINE[:3, :3], axis=0)
    far = ndimage.distance_transform_edt(~brain, sampling=sampling) > AROUND_MM
    assert far.any() and (values[far] == HU[0]).all()
    np.testing.assert_array_equal(values[brain], np.rint(hu.clip(*HU))[brain])
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)


def test_fewer_pixels_keep_their_place_and_their_mean() -> None:
    side = 2 * SIDE + 3
    hu = np.tile(np.arange(side, dtype=np.float32)[:, None, None] / 10, (1, side, 2))
    image = image_of(shown_ct(hu, np.ones(hu.shape, bool), AFFINE).base64)
    assert image.shape[:2] == (side // 3, side // 3)  # 3 to 1 is the least that is enough
    middle = image.affine @ [10, 20, 1, 1]
    np.testing.assert_allclose(middle, AFFINE @ [31, 61, 1, 1], atol=1e-3)
    assert np.asarray(image.dataobj)[10, 20, 1] == np.rint(3.1)


def test_labels_and_probabilities_are_all_there() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (7, 8, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        np.asarray(image_of(shown_labels(labels, AFFINE).base64).dataobj), labels
    )
    p = np.random.default_rng(1).random((7, 8, 3), np.float32)
    percent = np.asarray(image_of(shown_probability(p, AFFINE).base64).dataobj)
    np.testing.assert_allclose(percent / 100, p, atol=0.006)


@pytest.fixture(scope="module")
def page() -> str:
    name = '<script>alert("x")</script>'
    kinds = (
        KindFigures(name=name, volume_ml=3.0, n_lesions=1, threshold=0, least_lesion_ml=0,
                    doubt_ml=0, volume_interval_ml=None, volume_interval_kind="none"),
    )  # fmt: skip
    lesions = (Lesion(volume_ml=3.0, centroid_mm=(1, 2, 3), kind=name),)
    told = record(case=name).model_copy(update={"kinds": kinds, "lesions": lesions})
    hu, brain = head(20)
    images = [
        shown_ct(hu, brain, AFFINE),
        shown_labels(brain.astype(np.uint8), AFFINE),
        shown_probability(brain.astype(np.float32), AFFINE),
    ]
    return render_viewer(told, images)


def test_only_the_two_scripts_of_the_policy_may_run_and_nothing_may_be_fetched(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'" and rules["connect-src"] == "data:"
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    ]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert len(scripts) == 2
    assert not any(source in policy[1] for source in ("http", "*", "unsafe-eval", "self"))
    outside = page
    for script in scripts:
        outside = outside.replace(script, "")
    assert not re.search(r"(src|href)=", outside)


def test_names_are_text(page: str) -> None:
    assert 'alert("x")' not in page and "\\u003cscript>alert" in page
    assert "For research use only" in page


def test_uneven_slices_are_drawn_where_they_lie(tmp_path) -> None:  # type: ignore[no-untyped-def]
    hu, brain = head(24)
    z = np.array([0, 4, 8, 12, 16, 23, 30, 37, 44.0])
    origins = np.array([-8.0, -8.0, 0.0]) + z[:, None] * [0, 0, 1]
    affine = np.diag([0.7, 0.7, 4.0, 1.0])
    source = Source(tmp_path, "dicom", (24, 24, 9), affine)
    ct = CT.from_source_array(
        hu, source, slice_increments_mm=np.gradient(z), slice_origins_mm=origins
    )
    labels = np.zeros(hu.shape, np.uint8)
    labels[10:14, 10:14, 7] = 1
    told = record().model_copy(update={"kinds": ()})
    write_viewer(tmp_path / "v.html", told, ct, labels, labels.astype(np.float32), brain)
    text = (tmp_path / "v.html").read_text()
    (packed,) = re.findall(r'data-name="lesions.nii.gz">([^<]*)<', text)
    image = image_of(packed)
    found = nib.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj)))
    assert found[:, 2].min() >= 33.5 and found[:, 2].max() <= 40.5  # around 37 mm
    grid = regular_grid(ct)
    np.testing.assert_array_equal(grid.back(grid.nearest(labels)), labels)
