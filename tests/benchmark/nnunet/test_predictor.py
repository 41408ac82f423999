"""Laws: what nnU-Net says of a file comes back on the scan's axes, kind by kind.

`Engine` says what is told it, in nnU-Net's order of axes; see `test_nnunet` for its own.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from small_head import SHAPE, small_head
from torch import nn, zeros

from strokediff.benchmark.nnunet import predictor as module
from strokediff.benchmark.nnunet.job import Settings
from strokediff.benchmark.nnunet.model import Model
from strokediff.benchmark.nnunet.predictor import NNUNetPredictor
from strokediff.cohort.labelled import LabelledScan
from strokediff.cohort.masks import MaskReader
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError, UsageError
from strokediff.prediction.head import CohortHead, ScanHead

KINDS = ("infarct", "haemorrhage")
AFFINE = np.diag([-2.8, -2.8, 8.0, 1.0])
"""Axes as in the file: to the left, to the back, upwards."""


class Engine:
    """Marks a corner of the stored array as each kind; its network sees three patches."""

    def __init__(self, background: bool) -> None:
        self.network = nn.Identity()
        self.background = background
        self.plans_manager = SimpleNamespace(image_reader_writer_class=lambda: self)

    def read_images(self, files: list[str]) -> tuple[NDArray[Any], dict[str, Any]]:
        (file,) = files
        array = np.asarray(nib.load(file).dataobj)
        return np.transpose(array)[None], {"spacing": [5.0, 1.0, 1.0]}

    def predict_single_npy_array(
        self, array: NDArray[Any], properties: dict[str, Any], **_: object
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        self.network(zeros(2, 1, 4, 4))
        self.network(zeros(1, 1, 4, 4))
        labels = np.zeros(array.shape[1:], np.uint8)
        labels[0, 0, :3], labels[-1, -1, -3:] = 1, 2
        probs = [0.9 * (labels == value) for value in (0, 1, 2)[0 if self.background else 1 :]]
        return labels, np.stack(probs).astype(np.float32)


@pytest.fixture
def head(tmp_path: Path) -> ScanHead:
    image = tmp_path / "images" / "p.nii.gz"
    image.parent.mkdir()
    nib.save(nib.Nifti1Image(small_head(), AFFINE), image)
    scan = LabelledScan("p", image, image)
    return ScanHead(scan, MaskReader(), GridConfig(), min_slices=1)


def predictor(engine: Any, removes: list[list[int]]) -> NNUNetPredictor:
    settings = Settings(
        configuration="2d", seed=0, images=1, kinds=KINDS, cohort="of", split="whom"
    )
    costs = {"images": 1, "parameters": 1, "gmacs": 1.0}
    model = Model(settings=settings, version="2", mirrored=(), removes=removes, sha256="", **costs)
    return NNUNetPredictor("nnunetv2", model, engine)


@pytest.mark.parametrize("background", [True, False], ids=["classes", "regions"])
def test_labels_and_probabilities_lie_where_the_file_has_them(
    head: ScanHead, background: bool
) -> None:
    found = predictor(Engine(background), [])(head)["nnunetv2"]
    stored = head.ct.to_source(found.labels)
    assert stored.shape == SHAPE
    assert (stored[:3, 0, 0] == 1).all() and (stored[-3:, -1, -1] == 2).all()
    assert np.count_nonzero(stored) == 6
    assert found.labels.shape == head.ct.hu.shape and (found.labels[-3:, -1, 0] == 1).all()
    assert found.probs.shape == (2, *head.ct.hu.shape)
    for k in range(2):
        assert np.allclose(found.probs[k], 0.9 * (found.labels == k + 1))
    assert (found.evaluations, found.slices) == (3, 16)


def test_post_processing_is_applied_in_turn(
    head: ScanHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def removed(labels: NDArray[Any], values: list[int]) -> NDArray[Any]:
        asked.append(values)
        return np.where(np.isin(labels, values), 0, labels)

    theirs = SimpleNamespace(remove_all_but_largest_component_from_segmentation=removed)
    monkeypatch.setattr(module, "require", lambda name, extra: theirs)
    found = predictor(Engine(True), [[1, 2], [2]])(head)["nnunetv2"]
    assert asked == [[1, 2], [2]] and not found.labels.any()


def test_another_shape_than_the_scans_is_refused(head: ScanHead) -> None:
    engine = Engine(True)
    engine.read_images = lambda files: (np.zeros((1, 16, 64, 63)), {})  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"reads \(63, 64, 16\) voxels where the scan has"):
        predictor(engine, [])(head)


def test_a_head_of_the_networks_grid_is_refused(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path, GridConfig(), {}, {}, {})
    patient: Any = SimpleNamespace(name="p")
    with pytest.raises(UsageError, match="own grids alone"):
        predictor(Engine(True), [])(CohortHead(cohort, patient))
