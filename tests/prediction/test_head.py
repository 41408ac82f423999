"""Laws: on a scan's own grid a prediction is what `segment` finds, and the truth is as outlined."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from example_folder import LESIONS, head

from strokediff.cohort.prepare import prepare_cohort
from strokediff.cohort.store import Cohort
from strokediff.ct.brain import extract_brain
from strokediff.ct.grid import GridConfig
from strokediff.ct.nifti.images import read_nifti, save_like
from strokediff.errors import UsageError
from strokediff.inference.estimation import Estimation
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.prediction.folder import predict_cohort
from strokediff.prediction.head import OnOwnGrids
from strokediff.prediction.predict import predict
from strokediff.prediction.scoring import evaluate_folders
from strokediff.segmentation.segmenter import load
from strokediff.util.kinds import STROKE


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans: an infarct, and a haemorrhage."""
    folder = tmp_path_factory.mktemp("own") / "scans"
    for number, at in enumerate(LESIONS[:2], start=1):
        ct, lesion = head(at, number)
        save_like(ct, ct.hu, folder / "images" / f"p{number}.nii.gz", dtype=np.int16)
        save_like(ct, lesion * number, folder / "labels" / f"p{number}.nii.gz", dtype=np.uint8)
    labels = {"description": "heads", "labels": {"infarct": 1, "haemorrhage": 2}}
    (folder / "cohort.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture(scope="module")
def cohort(scans: Path) -> Cohort:
    grid = GridConfig(size=96, spacing_mm=2.0)
    return prepare_cohort(scans, scans.parent / "cohort", grid, val=0, test=0.5)


def test_a_prediction_on_the_own_grid_is_what_segment_finds(
    scans: Path, cohort: Cohort, tmp_path: Path
) -> None:
    """And is scored there, though the model tells no kinds apart and the truth does."""
    model = load("phantom-stroke", device="cpu")
    predictor = DiffusionPredictor(model, [Estimation("avg")])
    predict_cohort(cohort, ["p1"], predictor, ["avg"], tmp_path, heads=OnOwnGrids(scans))
    mask = nib.load(tmp_path / "avg" / "masks" / "p1.nii.gz")
    image = scans / "images" / "p1.nii.gz"
    expected = model.segment(image, method="avg")
    ct = read_nifti(image)
    np.testing.assert_array_equal(ct.from_source(np.asarray(mask.dataobj)) > 0, expected.mask)
    np.testing.assert_array_equal(mask.affine, nib.load(image).affine)
    brain = nib.load(tmp_path / "brain" / "p1.nii.gz")
    np.testing.assert_array_equal(
        ct.from_source(np.asarray(brain.dataobj)) > 0, extract_brain(ct).mask
    )
    found = evaluate_folders(
        tmp_path / "avg" / "masks", tmp_path / "truth", tmp_path / "avg" / "probabilities"
    )
    assert not found.cases and found.rows[0].dice > 0.5
    true = ct.mask_volume_mm3(head(LESIONS[0], 1)[1]) / 1000
    assert found.rows[0].volume_true_ml == pytest.approx(true)


def test_predict_takes_the_scans_and_mixes_no_grids(
    scans: Path, cohort: Cohort, tmp_path: Path
) -> None:
    (name,) = cohort.split["test"]
    done = predict(cohort, "phantom-stroke", tmp_path, Estimation("avg"), scans=scans)
    own, image = (nib.load(folder / f"{name}.nii.gz") for folder in (done.truth, scans / "images"))
    assert own.shape == image.shape and done.patients == [name]
    with pytest.raises(UsageError, match="or on other grids"):
        predict(cohort, "phantom-stroke", tmp_path, Estimation("avg"))


def test_the_truth_is_as_outlined_kind_by_kind(scans: Path, cohort: Cohort) -> None:
    heads = OnOwnGrids(scans)
    assert cohort.kinds == STROKE
    for number in (1, 2):
        own = heads(cohort, f"p{number}")
        lesion = head(LESIONS[number - 1], number)[1]
        np.testing.assert_array_equal(own.truth, lesion * number)


def test_a_scan_that_is_not_there_is_named(scans: Path, cohort: Cohort, tmp_path: Path) -> None:
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "p1.nii.gz").symlink_to(scans / part / "p1.nii.gz")
    with pytest.raises(UsageError, match=r"has no scan of p2, which is in .*cohort"):
        OnOwnGrids(tmp_path)(cohort, "p2")
