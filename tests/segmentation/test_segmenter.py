"""Laws: a path, a CT and an array are one scan; an array that is not HU is refused or mended."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import strokediff as sd


@pytest.fixture(scope="module")
def model() -> sd.Segmenter:
    return sd.load("phantom-stroke", device="cpu")


@pytest.fixture(scope="module")
def phantom() -> sd.Phantom:
    return sd.make_phantom("hemorrhage", seed=5, matrix=96, thickness_mm=10.0)


@pytest.fixture(scope="module")
def found(model: sd.Segmenter, phantom: sd.Phantom) -> sd.Segmentation:
    return model.segment(sd.CT(np.round(phantom.hu), phantom.affine), method="avg")


def test_a_file_is_what_its_array_is(
    model: sd.Segmenter, phantom: sd.Phantom, found: sd.Segmentation, tmp_path: Path
) -> None:
    flipped = np.diag([-1.0, -1.0, 1.0, 1.0])
    flipped[:2, 3] = np.array(phantom.hu.shape[:2]) - 1
    array = np.round(phantom.hu)[::-1, ::-1].astype(np.int16)  # stored as most scanners do
    nib.save(nib.Nifti1Image(array, phantom.affine @ flipped), tmp_path / "scan.nii.gz")
    scan = tmp_path / "scan.nii.gz"
    for again in (model.segment(scan, "avg"), model.segment(str(scan), "avg")):
        np.testing.assert_array_equal(again.mask, found.mask)
        # A file's affine is in single precision.
        np.testing.assert_allclose(again.probability, found.probability, atol=1e-5)
    assert found.volume_ml == pytest.approx(found.ct.integral_ml(found.mask)) and found.volume_ml
    assert f"{found.volume_ml:.1f} mL, {len(found.lesions)} lesion" in repr(found)


def test_an_array_that_is_not_in_hu_is_mended_or_refused(
    model: sd.Segmenter, phantom: sd.Phantom, found: sd.Segmentation
) -> None:
    stored = sd.CT(np.round(phantom.hu) + 1024, phantom.affine)  # as CT stores before its intercept
    mended = model.segment(stored, "avg")
    np.testing.assert_array_equal(mended.mask, found.mask)
    assert mended.warnings and not found.warnings
    with pytest.raises(sd.InputError, match="Hounsfield units"):
        model.segment(sd.CT(np.clip(phantom.hu, 0, 80) * 255 / 80, phantom.affine), "avg")


def test_saving_is_once_for_all(found: sd.Segmentation, tmp_path: Path) -> None:
    """Whole, over a result of ours, and never over what is somebody else's."""
    record = found.save(tmp_path / "patient 7", pictures=False, uncertainty=True)
    names = {p.name for p in (tmp_path / "patient 7").iterdir()}
    assert names == {*record.files, "result.json"} and "lesion_entropy.nii.gz" in names
    assert record.case == "patient 7"
    assert found.named("p").save(tmp_path / "patient 7", pictures=False).case == "p"
    assert not (tmp_path / "patient 7" / "lesion_entropy.nii.gz").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "lesion_mask.nii.gz").write_text("mine")
    with pytest.raises(sd.UsageError, match=r"holds lesion_mask\.nii\.gz"):
        found.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "lesion_mask.nii.gz").read_text() == "mine"
