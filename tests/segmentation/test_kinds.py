"""Laws: each kind of lesion has its own mask, figures and files, and no voxel is of two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import two_kinds
from numpy.typing import NDArray
from plain_place import Plain
from torch import Tensor

from strokediff.ct.volume import CT
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.read_out import read_out
from strokediff.segmentation.result import Segmentation
from strokediff.util.kinds import STROKE


@pytest.fixture(scope="module")
def truth() -> tuple[CT, NDArray[np.bool_]]:
    return two_kinds.head()


@pytest.fixture(scope="module")
def found(truth: tuple[CT, NDArray[np.bool_]]) -> Segmentation:
    return two_kinds.model().segment(truth[0], method="avg")


def test_each_kind_is_found_where_it_is(
    found: Segmentation, truth: tuple[CT, NDArray[np.bool_]]
) -> None:
    assert list(found.by_kind) == list(STROKE)
    for own, true in zip(found.by_kind.values(), truth[1], strict=True):
        assert 2 * (own.mask & true).sum() / (own.mask.sum() + true.sum()) > 0.85
        assert own.volume_ml == pytest.approx(found.ct.mask_volume_mm3(own.mask) / 1000)
        assert own.figures.n_lesions == len(own.lesions) == 1
        assert own.lesions[0].kind == own.figures.name


def test_what_is_of_all_is_of_each(found: Segmentation) -> None:
    each = list(found.by_kind.values())
    assert found.volume_ml == pytest.approx(sum(own.volume_ml for own in each))
    np.testing.assert_array_equal(found.mask, each[0].mask ^ each[1].mask)
    np.testing.assert_array_equal(
        found.probability, np.maximum(each[0].probability, each[1].probability)
    )
    assert [lesion.kind for lesion in found.lesions] == ["infarct", "haemorrhage"]  # by size
    assert found.record.n_lesions == 2 and found.record.threshold == 0


def test_the_files_hold_a_label_and_a_channel_a_kind(found: Segmentation, tmp_path: Path) -> None:
    found.save(tmp_path / "out", pictures=False)
    mask, prob = (nib.load(tmp_path / "out" / f"lesion_{n}.nii.gz") for n in ("mask", "prob"))
    labels = np.asarray(mask.dataobj)
    np.testing.assert_array_equal(labels, found.ct.to_source(found.labels))
    assert prob.shape == (*mask.shape, 2)
    for k, own in enumerate(found.record.kinds):
        voxel_ml = abs(np.linalg.det(mask.affine[:3, :3])) / 1000
        assert (labels == k + 1).sum() * voxel_ml == pytest.approx(own.volume_ml)
        assert (np.asarray(prob.dataobj)[..., k][labels == k + 1] >= 0.499).all()


def test_every_kind_has_its_own_decision(truth: tuple[CT, NDArray[np.bool_]]) -> None:
    strict = (Decision(), Decision(threshold=0.1, least_lesion_ml=1e4))
    model = replace(two_kinds.model(), chosen={"fast/avg": strict})
    found = model.segment(truth[0], method="avg")
    assert [own.figures.n_lesions for own in found.by_kind.values()] == [1, 0]
    assert (found.labels <= 1).all()
    assert found.record.threshold is None and found.record.least_lesion_ml is None
    assert [own.threshold for own in found.record.kinds] == [0.0, 0.1]


def blocks(*values: float) -> Tensor:
    """A 4 x 4 block of each kind with that y_0, the second two columns to the right."""
    label = torch.full((3, len(values), 12, 12), -1.0)
    for k, value in enumerate(values):
        label[:, k, 2:6, 2 + 2 * k : 6 + 2 * k] = value
    return label


@pytest.mark.parametrize(
    ("values", "overlap"), [((0.4, 0.6), 2), ((0.6, 0.4), 1), ((0.5, 0.5), 1)], ids=str
)
def test_where_two_kinds_claim_a_voxel_the_more_probable_has_it(
    values: tuple[float, float], overlap: int
) -> None:
    found = read_out(Plain(), blocks(*values), [Decision(), Decision()])
    row = found.labels[:, 3, 1].tolist()
    assert row[:10] == [0, 0, 1, 1, overlap, overlap, 2, 2, 0, 0]
    masks = [one.mask for one in found.kinds]
    assert not (masks[0] & masks[1]).any()
    np.testing.assert_array_equal(found.mask, masks[0] | masks[1])


def test_more_probable_is_by_the_kinds_own_threshold() -> None:
    """y_0 = 0.5 is far above a threshold of -0.4, and hardly above one of 0.4."""
    y_0 = blocks(0.45, 0.5)
    found = read_out(Plain(), y_0, [Decision(threshold=-0.4), Decision(threshold=0.4)])
    assert found.labels[4, 3, 1] == 1


def test_what_another_kind_leaves_of_a_lesion_is_dropped_below_the_least_volume() -> None:
    """Each block has 64 voxels of 0.02 mL, of which two columns of 32 are left to the weaker."""
    y_0 = blocks(0.4, 0.6)
    whole = read_out(Plain(), y_0, [Decision(least_lesion_ml=0.6), Decision()])
    crumbs = read_out(Plain(), y_0, [Decision(least_lesion_ml=0.7), Decision()])
    assert whole.kinds[0].mask.any() and not crumbs.kinds[0].mask.any()


def test_lone_pixels_are_dropped_kind_by_kind() -> None:
    """Two pixels of different kinds side by side are alone, each in its own channel."""
    y_0 = torch.full((3, 2, 12, 12), -1.0)
    y_0[1, 0, 5, 5] = y_0[1, 1, 5, 6] = 0.9
    found = read_out(Plain(), y_0, Decision())
    assert not found.mask.any()


def test_a_decision_a_kind_or_one_for_all() -> None:
    with pytest.raises(ValueError, match="a decision for each of 2 kinds, got 3"):
        read_out(Plain(), blocks(0.4, 0.6), [Decision()] * 3)
