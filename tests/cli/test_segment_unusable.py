"""Laws of a scan with a ruined slice, through `segment`: named, marked, and its lesion bridged."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture(scope="module")
def ruined(scan, tmp_path_factory):
    """The patient with slice 9 of the stored image zero-filled, and that slice's number."""
    image = nib.load(scan)
    hu = np.asarray(image.dataobj).copy()
    hu[:, :, 8] = -1024
    path = tmp_path_factory.mktemp("ruined") / "patient.nii.gz"
    nib.save(nib.Nifti1Image(hu, image.affine), path)
    return path


def test_a_ruined_slice_is_named_and_the_rest_is_as_without(
    run, checkpoint, scan, ruined, tmp_path
):
    options = ["--model", checkpoint, "--quiet", "--threads", 1]
    results, masks = [], []
    for n, source in enumerate((scan, ruined)):
        assert run("segment", source, "-o", tmp_path / str(n), *options) == 0
        results.append(json.loads((tmp_path / str(n) / "result.json").read_text()))
        masks.append(nib.load(tmp_path / str(n) / "lesion_mask.nii.gz").get_fdata())
    assert results[0]["unusable_slices"] == []
    assert results[1]["unusable_slices"] == [{"slice": 9, "why": "blank"}]
    assert any("slice 9: blank" in w for w in results[1]["warnings"])
    assert "slice 9: blank" in (tmp_path / "1" / "report.html").read_text()
    assert results[1]["brain_volume_ml"] == pytest.approx(results[0]["brain_volume_ml"], rel=0.01)
    below, ours, above = (masks[1][:, :, k].sum() for k in (7, 8, 9))
    assert ours == pytest.approx((below + above) / 2, rel=0.2, abs=10)
