"""Laws of heads in a folder: the same whatever n and jobs, resumable, told whose they are."""

import json

import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort.sources import Sources
from strokediff.errors import InputError, UsageError
from strokediff.phantom.backgrounds import Backgrounds, write_backgrounds


@pytest.fixture(scope="module")
def cohort(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    write_backgrounds(2, "hemorrhage", Backgrounds.read(folder), out, 5, empty_fraction=0.0)
    return out


def test_scans_with_a_lesion_are_left_out(folder):
    """Lesion-free are those whose label is empty."""
    found = Backgrounds.read(folder)
    assert [scan.name for scan in found.scans] == ["a", "b"]
    assert found.with_lesion == ("ill",)


def test_the_record(cohort, folder):
    """Each case has its truth and what was drawn; each background took its turn."""
    index = json.loads((cohort / "cohort.json").read_text())
    assert sorted(case["background"] for case in index["cases"]) == ["a", "b"]
    assert index["labels"] == {"infarct": 1, "haemorrhage": 2}
    assert index["licence"] == "CC BY 4.0"
    assert "synthetic lesions" in index["description"]
    for case in index["cases"]:
        image = nib.load(cohort / "labels" / f"{case['name']}.nii.gz")
        voxel = abs(np.linalg.det(image.affine[:3, :3])) / 1000
        count = np.count_nonzero(np.asarray(image.dataobj) == 2)
        assert case["volumes_ml"]["haemorrhage"] == pytest.approx(count * voxel, abs=1e-3)
        assert case["findings"]
        scan = nib.load(cohort / "images" / f"{case['name']}.nii.gz")
        real = nib.load(folder / "images" / f"{case['background']}.nii.gz")
        assert np.array_equal(scan.affine, real.affine)
        assert scan.get_data_dtype() == np.int16
        made, seen = np.asarray(scan.dataobj), np.asarray(real.dataobj)
        same = (made[::-1] if case["mirrored"] else made) == seen
        assert same.mean() > 0.9


def test_a_cohort_knows_the_patients(cohort):
    """`prepare` keeps heads of one patient together and reads licence and description."""
    sources = Sources.of(cohort)
    assert len(sources.people(["hemorrhage_0000", "hemorrhage_0001"])) == 1
    origin = sources.origin()
    assert origin["licence"] == "CC BY 4.0"
    assert origin["description"].startswith("synthetic lesions")


def test_a_lost_file_comes_back_bit_for_bit(cohort, folder):
    """Finished cases stay untouched; by two processes the bytes are the same."""
    paths = [cohort / "images" / f"hemorrhage_000{i}.nii.gz" for i in (0, 1)]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    heads = Backgrounds.read(folder)
    made = []
    write_backgrounds(
        3,
        "hemorrhage",
        heads,
        cohort,
        5,
        empty_fraction=0.0,
        jobs=2,
        on_case=lambda *call: made.append(call),
    )
    assert [path.read_bytes() for path in paths] == before
    assert sorted(made) == [(f"hemorrhage_000{i}", True) for i in range(3)]
    made.clear()
    stamp = paths[0].stat().st_mtime_ns
    write_backgrounds(
        3,
        "hemorrhage",
        heads,
        cohort,
        5,
        empty_fraction=0.0,
        on_case=lambda *call: made.append(call),
    )
    assert made == [(f"hemorrhage_000{i}", False) for i in range(3)]
    assert paths[0].stat().st_mtime_ns == stamp


def test_bad_requests_are_explained(cohort, folder, tmp_path):
    heads = Backgrounds.read(folder)
    with pytest.raises(UsageError, match=r"other settings.*seed.*5.*6"):
        write_backgrounds(2, "hemorrhage", heads, cohort, 6, empty_fraction=0.0)
    with pytest.raises(UsageError, match="expected 1 or more"):
        write_backgrounds(0, "infarct", heads, tmp_path)
    with pytest.raises(InputError, match="no scans with labels"):
        Backgrounds.read(tmp_path)
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "x.nii.gz").write_bytes((folder / part / "ill.nii.gz").read_bytes())
    with pytest.raises(InputError, match="all 1 scans show a lesion"):
        Backgrounds.read(tmp_path)
