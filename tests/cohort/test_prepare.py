"""Laws of preparing: one image is one patient; one damaged file costs that file, if asked; the same
scans give the same bytes, whenever they were stopped before."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import layout_factory as make
import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort import prepare as preparing
from strokediff.cohort.prepare import prepare_cohort
from strokediff.cohort.store import Cohort, open_cohort
from strokediff.ct.brain import BrainMask
from strokediff.ct.grid import GridConfig
from strokediff.ct.volume import CT
from strokediff.errors import InputError

pytest.importorskip("zarr")
GRID = GridConfig(size=48, spacing_mm=5.0)


def scan(folder: Path, name: str, patient: int, *, lesion: int = 1) -> Path:
    image = make.nifti(folder / "images" / f"{name}.nii.gz", make.hounsfield(patient))
    make.nifti(folder / "labels" / f"{name}.nii.gz", make.labels(lesion))
    return image


@pytest.fixture(autouse=True)
def plain_brains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the brain ends matters to none of these laws, and finding it takes the time."""

    def found(volume: CT) -> BrainMask:
        return BrainMask((volume.hu > 0) & (volume.hu < 100), 1000.0, (), False)

    monkeypatch.setattr(preparing, "extract_brain", found)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for i in range(6):
        scan(tmp_path / "src", f"p{i}", i)
    return tmp_path / "src"


def made(source: Path, **options: Any) -> Cohort:
    settings = {"val": 0.2, "test": 0.2, **options}
    return prepare_cohort(source, source.parent / "cohort", GRID, **settings)


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def packed_again(image: Path) -> None:
    image.write_bytes(gzip.compress(gzip.decompress(image.read_bytes()), 1, mtime=3))


def as_floats(image: Path) -> None:
    old = nib.load(image)
    nib.save(nib.Nifti2Image(old.get_fdata(dtype=np.float32), old.affine), image)


def with_another_mask(image: Path) -> None:
    make.nifti(Path(str(image).replace("images", "labels")), make.labels() * 0)


@pytest.mark.parametrize(
    ("change", "seed"),
    [(packed_again, 0), (packed_again, 3), (as_floats, 1), (with_another_mask, 2)],
)
def test_one_image_under_two_names_stays_on_one_side(
    source: Path, change: Callable[[Path], None], seed: int
) -> None:
    for name in ("q1", "q2"):
        change(scan(source, name, 3))
    cohort = made(source, seed=seed, val=0.34, test=0.34)
    (part,) = [part for part, names in cohort.split.items() if {"p3", "q1", "q2"} & {*names}]
    assert {"p3", "q1", "q2"} <= {*cohort.split[part]}
    assert {cohort.patient_of(name) for name in ("p3", "q1", "q2")} == {"p3"}
    assert cohort.findings == (
        "1 image(s) under several names, kept together as one patient's: p3 = q1 = q2",
    )


def test_one_image_in_two_declared_parts_is_refused(source: Path) -> None:
    packed_again(scan(source, "q1", 3))
    split = {"train": ["p0", "p1", "p2", "p3"], "val": ["p4", "p5"], "test": ["q1"]}
    (source / "cohort.json").write_text(json.dumps({"declared_split": split}))
    with pytest.raises(InputError, match="the scans p3, q1 are of one patient, or hold one image"):
        made(source)
    assert not (source.parent / "cohort").exists()


def test_scans_that_nearly_are_one_are_told(source: Path) -> None:
    noise = np.random.default_rng(0).integers(-2, 3, make.hounsfield().shape)
    image = scan(source, "q1", 3)
    make.nifti(image, (make.hounsfield(3) + noise).astype(np.int16))
    split = {"train": ["p0", "p1", "p2", "p3"], "val": ["p4", "p5"], "test": ["q1"]}
    (source / "cohort.json").write_text(json.dumps({"declared_split": split}))
    (finding,) = made(source).findings
    assert finding.startswith("1 pair(s) of scans in two parts of the split look alike")
    assert finding.endswith("p3 ~ q1")


def test_damaged_scans_cost_those_scans_if_asked(source: Path) -> None:
    truncated = source / "images" / "p1.nii.gz"
    truncated.write_bytes(truncated.read_bytes()[:-200])
    make.nifti(source / "images" / "p2.nii.gz", np.clip(make.hounsfield(2), 0, 80))
    make.nifti(source / "labels" / "p3.nii.gz", make.labels(), make.AFFINE * 1.5)
    make.nifti(source / "labels" / "p4.nii.gz", make.labels() * np.float32(0.3))
    scan(source, "p6", 6)
    damaged = ["p1", "p2", "p3", "p4"]
    with pytest.raises(InputError, match=r"(?s)" + ".*".join(rf"{n}\.nii\.gz" for n in damaged)):
        made(source)
    assert not (source.parent / "cohort").exists()
    cohort = made(source, skip_damaged=True)
    assert [name for name, why in cohort.left_out.items() if f"{name}.nii.gz" in why] == damaged
    assert sorted(cohort.patients) == ["p0", "p5", "p6"]
    assert {n for names in cohort.split.values() for n in names} == {*cohort.patients}
    assert open_cohort(cohort.path).left_out == cohort.left_out


def test_if_none_is_sound_nothing_is_left_to_skip(source: Path) -> None:
    for image in (source / "images").iterdir():
        image.write_bytes(b"")
    with pytest.raises(InputError, match=r"p0\.nii\.gz.*(?s:.)*p5\.nii\.gz"):
        made(source, skip_damaged=True)


def test_names_in_any_script_go_all_the_way(tmp_path: Path) -> None:
    names = {
        "张伟": "张伟",
        "sub 01": "sub 01",
        "Łukasz–Żak (2)": "Łukasz–Żak (2)",
        "=1+cmd": "1+cmd",
        "a..b": "a.b",
        os.fsdecode(b"M\xfcller"): "Müller",
    }
    for i, stored in enumerate(names):
        scan(tmp_path / "src", stored, i)
    cohort = made(tmp_path / "src")
    assert {*cohort.patients} == {*names.values()}
    for name in names.values():
        assert cohort.read(name).y.any()
        assert (cohort.path / "patients.zarr" / name / "x").is_dir()
    originals = {n: e["original"] for n, e in cohort.patients.items() if "original" in e}
    assert originals == {"1+cmd": "=1+cmd", "a.b": "a..b", "Müller": "M\\xfcller"}


def test_a_mask_whose_accents_are_stored_apart_is_found(source: Path) -> None:
    scan(source, "Müller", 9)
    mask = source / "labels" / "Müller.nii.gz"
    mask.rename(mask.with_name(unicodedata.normalize("NFD", mask.name)))
    assert made(source).read("Müller").y.any()


def test_names_that_differ_in_letter_case_only_are_refused(source: Path) -> None:
    scan(source, "P1", 9)
    with pytest.raises(InputError, match=r"the same name twice: .*P1\.nii\.gz and .*p1\.nii\.gz"):
        made(source)


def test_scans_of_one_name_in_several_folders_are_told_apart_by_the_folder(tmp_path: Path) -> None:
    src = tmp_path / "src"
    for i, (folder, patients) in enumerate(
        {"real": {"p1": "a", "p2": "b"}, "made": {"p1": "b", "p3": "c"}}.items()
    ):
        for j, name in enumerate(patients):
            scan(src / folder, name, 4 * i + j)
        meta = {
            "description": folder,
            "data_set": "one",
            "patients": {name: {"patient": who} for name, who in patients.items()},
        }
        (src / folder / "cohort.json").write_text(json.dumps(meta))
    cohort = made(src)
    assert {*cohort.patients} == {"real_p1", "made_p1", "p2", "p3"}
    assert cohort.patient_of("made_p1") == cohort.patient_of("p2") != cohort.patient_of("real_p1")
    assert [cohort.source_of(name) for name in ("made_p1", "p2")] == ["made", "real"]


def test_the_same_scans_give_the_same_bytes(source: Path) -> None:
    first = files(made(source).path)
    shutil.rmtree(source.parent / "cohort")
    assert files(made(source).path) == first


@pytest.mark.parametrize("after", [0, 3])
def test_stopped_anywhere_it_leaves_nothing_and_goes_through_again(
    source: Path, after: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = files(made(source).path)
    shutil.rmtree(source.parent / "cohort")
    done: list[str] = []

    def stopping(task: Any, grid: GridConfig) -> Any:
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(task.scan.name)
        return real(task, grid)

    real = preparing._tried
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(preparing, "_tried", stopping)
        made(source)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["src"]
    assert files(made(source).path) == whole
    assert open_cohort(source.parent / "cohort").read("p0").y.any()
