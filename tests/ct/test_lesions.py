"""Single lesions: what belongs together, how large each is, and which are too small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from strokediff.ct.lesions import Lesions
from strokediff.ct.volume import CT, Source


@pytest.fixture
def volume() -> CT:
    shape = (20, 20, 10)
    source = Source(Path("scan"), "array", shape, np.diag([2.0, 2.0, 5.0, 1.0]))
    return CT.from_source_array(np.zeros(shape, np.float32), source)


@pytest.fixture
def mask(volume: CT) -> np.ndarray:
    """4, 2 and 1 voxels; the second touches by a corner only."""
    mask = np.zeros(volume.hu.shape, bool)
    mask[2:4, 2:4, 2] = True
    mask[10, 10, 5] = mask[11, 11, 6] = True
    mask[18, 18, 9] = True
    return mask


def test_volumes_and_centroids_largest_first(volume: CT, mask: np.ndarray) -> None:
    lesions = Lesions(volume, mask).describe()
    assert [lesion["volume_ml"] for lesion in lesions] == pytest.approx([0.08, 0.04, 0.02])
    assert lesions[1]["centroid_mm"] == [21.0, 21.0, 27.5]


@pytest.mark.parametrize(
    ("least", "left"), [(0.0, 7), (0.019, 7), (0.021, 6), (0.039, 6), (0.05, 4), (1.0, 0)]
)
def test_a_lesion_stays_whole_or_goes_whole(
    volume: CT, mask: np.ndarray, least: float, left: int
) -> None:
    lesions = Lesions(volume, mask)
    kept = lesions.mask(least)
    assert kept.sum() == left
    assert lesions.describe(least) == Lesions(volume, kept).describe()
    assert not (kept & ~mask).any()


def test_it_agrees_with_another_library(volume: CT) -> None:
    mask = np.random.default_rng(0).random(volume.hu.shape) < 0.06
    labels, n = ndimage.label(mask, np.ones((3, 3, 3)))
    lesions = Lesions(volume, mask)
    counts = np.bincount(labels.ravel())[1:]
    assert len(lesions.volume_ml) == n
    np.testing.assert_allclose(sorted(lesions.volume_ml), sorted(counts * 0.02))
    kept = np.isin(labels, np.flatnonzero(counts >= 3) + 1)
    np.testing.assert_array_equal(lesions.mask(0.059), kept)


def test_an_empty_mask_has_none(volume: CT) -> None:
    lesions = Lesions(volume, np.zeros(volume.hu.shape, bool))
    assert lesions.describe() == []
    assert lesions.mask().sum() == 0
