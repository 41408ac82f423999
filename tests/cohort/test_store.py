"""Preparing a cohort: every check speaks before training does, and the split is by patient."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort.labelled import find_scans
from strokediff.cohort.prepare import prepare_cohort
from strokediff.cohort.store import open_cohort, split_patients
from strokediff.ct.grid import GridConfig
from strokediff.ct.midline import find_midline
from strokediff.errors import InputError, UsageError

pytest.importorskip("zarr")
GRID = GridConfig(size=64, spacing_mm=3.0)
AFFINE = np.diag([3.0, 3.0, 5.0, 1.0])


def write(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def scan(folder: Path, name: str, *, nnunet: bool = False, lesion_at: int = 25) -> None:
    """A box of brain in a box of bone in air, its mask and a lesion; the back is the patient's."""
    hu = np.full((60, 60, 6), -1000, np.int16)
    brain = np.zeros(hu.shape, np.uint8)
    brain[10:50, 10:50] = 1
    hu[6:54, 6:54] = 900
    hu[brain > 0] = 35
    own = np.random.default_rng([*name.encode()]).integers(20, 50, (10, 4, 1))
    hu[10:50, 10:22] = np.kron(own, np.ones((4, 3, 6))).astype(np.int16)
    lesion = np.zeros_like(brain)
    lesion[lesion_at : lesion_at + 10, 25:35, 2:4] = 1
    images, labels, end = ("imagesTr", "labelsTr", "_0000") if nnunet else ("images", "labels", "")
    write(folder / images / f"{name}{end}.nii.gz", hu)
    write(folder / labels / f"{name}.nii.gz", lesion)


@pytest.mark.parametrize("nnunet", [False, True])
def test_a_cohort_holds_what_the_scans_showed(tmp_path: Path, nnunet: bool) -> None:
    for i in range(4):
        scan(tmp_path / "src", f"p{i}", nnunet=nnunet)
    cohort = prepare_cohort(
        tmp_path / "src", tmp_path / "cohort", GRID, val=0.25, test=0.25, seed=1
    )
    assert sorted(name for part in cohort.split.values() for name in part) == [
        "p0",
        "p1",
        "p2",
        "p3",
    ]
    patient = cohort.read("p0")
    assert patient.midline == find_midline(patient.x, patient.m)
    assert patient.x.shape == patient.y.shape == patient.m.shape == (6, 64, 64)
    assert patient.y.any(axis=(1, 2)).tolist() == [False, False, True, True, False, False]
    assert int(patient.y.sum()) == pytest.approx(10 * 10 * 2, rel=0.1)
    assert cohort.patients["p0"]["volume_ml"] == pytest.approx(10 * 10 * 2 * 45 / 1000)


def test_stored_axis_order_does_not_matter(tmp_path: Path) -> None:
    """The same head stored left-right flipped prepares to the same arrays."""
    scan(tmp_path / "a", "p0", lesion_at=35)
    for file in sorted((tmp_path / "a").rglob("*.nii.gz")):
        image = nib.load(file)
        array = np.asarray(image.dataobj)[::-1]
        affine = AFFINE @ np.array([[-1, 0, 0, 59], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        write(tmp_path / "b" / file.relative_to(tmp_path / "a"), array, affine)
    made = [prepare_cohort(tmp_path / s, tmp_path / f"c{s}", GRID, val=0, test=0) for s in "ab"]
    one, other = (cohort.read("p0") for cohort in made)
    for key in ("x", "y", "m"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))


def test_the_number_of_jobs_changes_nothing(tmp_path: Path) -> None:
    for i in range(3):
        scan(tmp_path / "src", f"p{i}", lesion_at=20 + i)
    made = [
        prepare_cohort(tmp_path / "src", tmp_path / f"c{j}", GRID, test=0, jobs=j) for j in (1, 2)
    ]
    assert made[0].split == made[1].split
    for name in ("p0", "p1", "p2"):
        one, other = (cohort.read(name) for cohort in made)
        for key in ("x", "y", "m"):
            np.testing.assert_array_equal(getattr(one, key), getattr(other, key))


def test_a_bad_scan_in_another_process_is_named(tmp_path: Path) -> None:
    for name in "ab":
        scan(tmp_path / "src", name)
    (tmp_path / "src" / "images" / "b.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"b\.nii\.gz"):
        prepare_cohort(tmp_path / "src", tmp_path / "cohort", GRID, val=0, test=0, jobs=2)
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def test_folders_of_cohorts_are_joined_and_their_descriptions_kept(tmp_path: Path) -> None:
    for kind in ("infarct", "hemorrhage"):
        scan(tmp_path / "src" / kind, f"{kind}_0")
        (tmp_path / "src" / kind / "cohort.json").write_text(
            json.dumps({"description": f"phantoms, {kind}"})
        )
    cohort = prepare_cohort(tmp_path / "src", tmp_path / "cohort", GRID, val=0.5, test=0)
    assert cohort.origin["description"] == "phantoms, hemorrhage; phantoms, infarct"


def test_images_without_masks_are_named(tmp_path: Path) -> None:
    scan(tmp_path, "p0")
    scan(tmp_path, "p1")
    (tmp_path / "labels" / "p1.nii.gz").unlink()
    with pytest.raises(InputError, match=r"1 image\(s\) without a mask.*p1\.nii\.gz"):
        find_scans(tmp_path)


def test_masks_without_images_are_named(tmp_path: Path) -> None:
    """A patient is not lost in silence."""
    scan(tmp_path, "p0")
    scan(tmp_path, "p1")
    (tmp_path / "images" / "p1.nii.gz").unlink()
    with pytest.raises(InputError, match=r"1 mask\(s\) without an image.*p1\.nii\.gz"):
        find_scans(tmp_path)


def test_test_patients_that_a_folder_of_nnunet_declares_are_not_replaced(tmp_path: Path) -> None:
    scan(tmp_path / "a set", "p0", nnunet=True)
    (tmp_path / "a set" / "imagesTs").mkdir()
    (tmp_path / "a set" / "imagesTs" / "p1_0000.nii.gz").touch()
    assert [found.name for found in find_scans(tmp_path)] == ["p0"]  # nobody can score p1
    (tmp_path / "a set" / "labelsTs").mkdir()
    (tmp_path / "a set" / "labelsTs" / "p1.nii.gz").touch()
    with pytest.raises(InputError, match=r"1 test patients.*import nnunet '.*/a set' SCANS"):
        find_scans(tmp_path)


def test_a_cohort_without_any_lesion_is_refused(tmp_path: Path) -> None:
    for name in ("p0", "p1"):
        scan(tmp_path / "src", name)
        write(tmp_path / "src" / "labels" / f"{name}.nii.gz", np.zeros((60, 60, 6), np.uint8))
    with pytest.raises(InputError, match="no lesion in any of 2 masks"):
        prepare_cohort(tmp_path / "src", tmp_path / "cohort", GRID, val=0, test=0)
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def test_a_folder_without_scans_says_which_layouts_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled scans. Expected images/NAME.nii.gz"):
        find_scans(tmp_path)


def test_a_mask_on_another_grid_leaves_no_cohort_behind(tmp_path: Path) -> None:
    scan(tmp_path / "src", "p0")
    scan(tmp_path / "src", "p1")
    scan(tmp_path / "src", "p2")
    for name in ("p1", "p2"):
        write(tmp_path / "src" / "labels" / f"{name}.nii.gz", np.zeros((60, 60, 5), np.uint8))
    with pytest.raises(InputError, match=r"(?s)p1\.nii\.gz.*p2\.nii\.gz"):  # both at once
        prepare_cohort(tmp_path / "src", tmp_path / "cohort", GRID, val=0, test=0)
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def patients(n: int) -> dict[str, tuple[str, float]]:
    return {f"p{i:02d}": ("infarct" if i % 4 else "hemorrhage", float(i * i)) for i in range(n)}


def test_the_split_is_fixed_by_the_seed_and_holds_everyone_once() -> None:
    everyone = patients(20)
    split = split_patients(everyone, val=0.1, test=0.2, seed=3)
    turned = dict(reversed(everyone.items()))
    assert split == split_patients(turned, val=0.1, test=0.2, seed=3)
    assert split != split_patients(everyone, val=0.1, test=0.2, seed=4)
    assert sorted(name for part in split.values() for name in part) == sorted(everyone)
    assert (len(split["val"]), len(split["test"])) == (2, 4)


@pytest.mark.parametrize("seed", range(5))
def test_every_group_and_size_is_held_out_alike(seed: int) -> None:
    """Of any run of patients in order of group and volume, the share held out is the same."""
    everyone = patients(40)
    split = split_patients(everyone, val=0.2, test=0.2, seed=seed)
    order = sorted(everyone, key=lambda name: everyone[name])
    for part in ("val", "test"):
        places = [i for i, name in enumerate(order) if name in split[part]]
        assert max(np.diff([-1, *places, 40])) <= 10
    groups = [everyone[name][0] for name in split["val"]]
    assert groups.count("hemorrhage") == pytest.approx(2, abs=1)


def test_patients_of_equal_volume_are_drawn_at_random() -> None:
    alike = {f"p{i:02d}": ("a", 0.0) for i in range(30)}
    drawn = {tuple(split_patients(alike, val=0.1, test=0, seed=s)["val"]) for s in range(50)}
    assert len({name for names in drawn for name in names}) == 30


def test_a_split_that_leaves_nobody_to_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none would be left to train on"):
        split_patients(patients(2), val=0.5, test=0.5, seed=0)
    for name in "ab":
        scan(tmp_path / "src", name)
    with pytest.raises(InputError, match="none would be left to train on"):
        prepare_cohort(tmp_path / "src", tmp_path / "cohort", GRID, val=0.5, test=0.5)
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def test_nothing_but_a_cohort_is_written_over(tmp_path: Path) -> None:
    scan(tmp_path / "mine" / "scans", "a")
    scan(tmp_path / "mine" / "scans", "b")
    scans, precious = tmp_path / "mine" / "scans", tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("thesis")
    for out, why in (
        (precious, r"no prepared cohort \(thesis.txt\)"),
        (scans, "holds the scans"),
        (tmp_path / "mine", "holds the scans"),
    ):
        before = sorted(p for p in tmp_path.rglob("*"))
        with pytest.raises(UsageError, match=why):
            prepare_cohort(scans, out, GRID, val=0, test=0)
        assert sorted(p for p in tmp_path.rglob("*")) == before
    for _ in range(2):  # a cohort may be prepared anew
        assert len(prepare_cohort(scans, tmp_path / "cohort", GRID, val=0, test=0).patients) == 2


@pytest.mark.parametrize("part", ["x", "y", "m"])
def test_arrays_that_are_not_what_was_prepared_are_refused(tmp_path: Path, part: str) -> None:
    """After a broken copy chunks are missing, and zarr reads them as zeros."""
    for name in "ab":
        scan(tmp_path / "src", name)
    cohort = prepare_cohort(tmp_path / "src", tmp_path / "cohort", GRID, val=0, test=0)
    array = cohort.path / "patients.zarr" / "a" / part
    shutil.rmtree(array / "c")
    with pytest.raises(InputError, match=r"patients\.zarr/a: not what cohort\.json says"):
        cohort.read("a")
    shutil.rmtree(array)
    with pytest.raises(InputError, match="prepare it again"):
        cohort.read("a")
    assert cohort.read("b").y.any()


def test_two_masks_of_one_scan_are_refused(tmp_path: Path) -> None:
    scan(tmp_path, "a")
    write(tmp_path / "labels" / "a.nii", np.zeros((60, 60, 6), np.uint8))
    with pytest.raises(InputError, match="two masks of one scan"):
        find_scans(tmp_path)


def test_shares_are_shares(tmp_path: Path) -> None:
    for share in (-0.5, 1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="shares from 0 to below 1"):
            split_patients(patients(9), val=share, test=0.0, seed=0)


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"format": 7}', '{"format": 2, "split": {}}'])
def test_a_foreign_cohort_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cohort.json").write_text(text)
    with pytest.raises(InputError, match=r"cohort\.json"):
        open_cohort(tmp_path)


def test_a_folder_that_is_no_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a prepared cohort"):
        open_cohort(tmp_path)
