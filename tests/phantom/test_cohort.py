"""Laws of a cohort: the same whatever n, resumable, whole files only."""

import json

import nibabel as nib
import numpy as np
import pytest

from strokediff.errors import UsageError
from strokediff.phantom import write_cohort

OPTIONS = {"matrix": 48, "slices": 8, "empty_fraction": 0.0}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort")
    write_cohort(2, "infarct", out, 9, **OPTIONS, jobs=2)
    return out


def test_layout(cohort):
    """images, labels, brain on one grid; the index holds the truth of each case."""
    index = json.loads((cohort / "cohort.json").read_text())
    assert [case["name"] for case in index["cases"]] == ["infarct_0000", "infarct_0001"]
    assert index["settings"]["anatomies"] == ["mni152-nilearn"]
    for case in index["cases"]:
        name = f"{case['name']}.nii.gz"
        parts = [nib.load(cohort / folder / name) for folder in ("images", "labels", "brain")]
        assert {p.get_data_dtype().name for p in parts[1:]} == {"uint8"}
        assert parts[0].get_data_dtype() == np.int16
        assert all(np.array_equal(p.affine, parts[0].affine) for p in parts)
        voxel = abs(np.linalg.det(parts[0].affine[:3, :3])) / 1000
        count = np.count_nonzero(np.asarray(parts[1].dataobj))
        assert case["lesion_volume_ml"] == pytest.approx(count * voxel, rel=1e-3, abs=1e-3)
    assert not (cohort / ".partial").exists()


def test_rerun_skips_and_a_lost_file_is_made_again_bit_for_bit(cohort):
    """Finished cases stay untouched; a missing one comes back identical, by one process or two."""
    path = cohort / "images" / "infarct_0001.nii.gz"
    before, kept = path.read_bytes(), cohort / "images" / "infarct_0000.nii.gz"
    stamp = kept.stat().st_mtime_ns
    path.unlink()
    made = []
    write_cohort(2, "infarct", cohort, 9, **OPTIONS, on_case=lambda *call: made.append(call))
    assert made == [("infarct_0000", False), ("infarct_0001", True)]
    assert path.read_bytes() == before
    assert kept.stat().st_mtime_ns == stamp


def test_other_settings_are_refused(cohort):
    """Two cohorts never mix in one folder."""
    with pytest.raises(UsageError, match=r"other settings.*seed.*9.*10"):
        write_cohort(2, "infarct", cohort, 10, **OPTIONS)


def test_bad_requests_are_explained(tmp_path):
    with pytest.raises(UsageError, match="expected 1 or more"):
        write_cohort(0, "infarct", tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be used"):
        write_cohort(1, "infarct", tmp_path / "file" / "below", **OPTIONS)
