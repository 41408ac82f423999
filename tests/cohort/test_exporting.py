"""Laws: nnU-Net gets the cohort's split, the images as they are, and masks on their grids."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import layout_factory as make
import nibabel as nib
import numpy as np
import pytest
from small_head import AFFINE, brain_of, small_head

from strokediff.cohort.exporting import export_nnunet
from strokediff.cohort.masks import read_labels_of
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError, UsageError
from strokediff.util.kinds import STROKE

NAMES = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}


def cohort(split: dict[str, list[str]] = NAMES, path: Path = Path("cohort")) -> Cohort:
    return Cohort(path, GridConfig(), split, {}, {})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for i, name in enumerate("abcd"):
        suffix = ".nii" if name == "b" else ".nii.gz"
        make.nifti(tmp_path / "src" / "images" / f"{name}{suffix}", make.hounsfield(i))
        make.nifti(tmp_path / "src" / "labels" / f"{name}.nii.gz", make.labels(255) * (i > 0))
    return tmp_path / "src"


def export(source: Path, out: Path, made: Cohort | None = None, **options: Any) -> Path:
    return export_nnunet(source, made or cohort(), out, **{"number": 7, "name": "CT", **options})


def test_the_raw_layout(source: Path, tmp_path: Path) -> None:
    made = export(source, tmp_path / "raw")
    assert made == tmp_path / "raw" / "Dataset007_CT"
    files = sorted(str(p.relative_to(made)) for p in made.rglob("*.nii.gz"))
    assert files == [
        *(f"imagesTr/{name}_0000.nii.gz" for name in "abc"),
        "imagesTs/d_0000.nii.gz",
        *(f"labelsTr/{name}.nii.gz" for name in "abc"),
        "labelsTs/d.nii.gz",
    ]
    meta = json.loads((made / "dataset.json").read_text())
    assert meta["channel_names"] == {"0": "CT"} and meta["numTraining"] == 3
    assert meta["labels"] == {"background": 0, "lesion": 1} and meta["file_ending"] == ".nii.gz"
    assert json.loads((made / "splits_final.json").read_text()) == [
        {"train": ["a", "b"], "val": ["c"]}
    ]


def test_values_that_had_to_be_mended_are_written_in_hu(tmp_path: Path) -> None:
    for i, name in enumerate("abcd"):
        stored = small_head(seed=i) + (1024 if name == "a" else 0)
        image = nib.Nifti1Image(np.round(stored).astype(np.int16), AFFINE)
        mask = nib.Nifti1Image((brain_of() & (i > 0)).astype(np.uint8), AFFINE)
        for part, made in (("images", image), ("labels", mask)):
            (tmp_path / "src" / part).mkdir(parents=True, exist_ok=True)
            nib.save(made, tmp_path / "src" / part / f"{name}.nii.gz")
    made = export(tmp_path / "src", tmp_path / "raw")
    hu = nib.load(made / "imagesTr" / "a_0000.nii.gz").get_fdata()
    np.testing.assert_allclose(hu, np.round(small_head(seed=0)), atol=1)
    kept = (made / "imagesTr" / "b_0000.nii.gz").read_bytes()
    assert kept == (tmp_path / "src" / "images" / "b.nii.gz").read_bytes()


def test_images_are_unchanged_and_masks_binary_on_their_grid(source: Path, tmp_path: Path) -> None:
    made = export(source, tmp_path / "raw")
    first = (made / "imagesTr" / "a_0000.nii.gz").read_bytes()
    assert first == (source / "images" / "a.nii.gz").read_bytes()
    for name, part in (("b", "Tr"), ("d", "Ts")):
        image = nib.load(made / f"images{part}" / f"{name}_0000.nii.gz")
        mask = nib.load(made / f"labels{part}" / f"{name}.nii.gz")
        np.testing.assert_array_equal(np.asarray(mask.dataobj), make.labels())
        assert mask.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(mask.affine, image.affine)


def test_cohorts_of_other_patients_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected scans that .* has, but 1 differ: x"):
        export(source, tmp_path / "raw", cohort({**NAMES, "val": ["c", "x"]}))
    with pytest.raises(InputError, match=r"no scans beside those of .*, but 1 differ: c"):
        export(source, tmp_path / "raw", cohort({**NAMES, "val": []}))
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def test_scans_that_the_cohort_left_out_are_left_out_here_too(source: Path, tmp_path: Path) -> None:
    (source / "images" / "c.nii.gz").write_bytes(b"damaged")
    opened = replace(cohort({**NAMES, "val": []}), left_out={"c": "damaged"})
    made = export(source, tmp_path / "raw", opened)
    names = sorted(p.name for p in made.rglob("*_0000.nii.gz"))
    assert names == ["a_0000.nii.gz", "b_0000.nii.gz", "d_0000.nii.gz"]


def test_names_of_any_script_are_exported(tmp_path: Path) -> None:
    names = {"train": ["张伟", "sub 01"], "val": [], "test": ["Müller, Hans"]}
    for i, name in enumerate(n for own in names.values() for n in own):
        make.nifti(tmp_path / "src" / "images" / f"{name}.nii.gz", make.hounsfield(i))
        make.nifti(tmp_path / "src" / "labels" / f"{name}.nii.gz", make.labels())
    made = export(tmp_path / "src", tmp_path / "raw", cohort(names))
    assert (made / "imagesTr" / "张伟_0000.nii.gz").is_file()
    assert (made / "labelsTs" / "Müller, Hans.nii.gz").is_file()
    folds = json.loads((made / "splits_final.json").read_text("utf-8"))
    assert folds == [{"train": ["sub 01", "张伟"], "val": []}]


def test_a_mask_on_another_grid_leaves_nothing(source: Path, tmp_path: Path) -> None:
    make.nifti(source / "labels" / "c.nii.gz", make.labels()[:, :, :5])
    with pytest.raises(InputError, match=r"c\.nii\.gz: expected the grid of"):
        export(source, tmp_path / "raw")
    assert list((tmp_path / "raw").iterdir()) == []


def test_what_is_there_is_never_overwritten(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "raw")
    with pytest.raises(UsageError, match="Dataset007_CT: exists already"):
        export(source, tmp_path / "raw")


@pytest.mark.parametrize("options", [{"number": 0}, {"number": 1000}, {"name": "../x"}])
def test_numbers_and_names_that_nnunet_would_not_take(
    source: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="number from 1 to 999"):
        export(source, tmp_path / "raw", **options)


@pytest.mark.parametrize(
    ("given", "written", "values"),
    [
        ({"infarct": 1, "haemorrhage": 2}, {"infarct": 1, "haemorrhage": 2}, {0, 1, 2}),
        (
            {"infarct": 2, "haemorrhage": [1, 2]},
            {"infarct": [1, 3], "haemorrhage": [2, 3]},
            {0, 2, 3},
        ),
    ],
)
def test_kinds_of_lesion_are_exported_and_come_back_by_import(
    tmp_path: Path, imported, given: dict[str, Any], written: dict[str, Any], values: set[int]
) -> None:
    """Apart they have a value each, where they overlap they are nnU-Net's regions."""
    scans = imported("nnunet", make.nnunet(tmp_path / "src", labels={"background": 0, **given}))
    made = export(scans.path, tmp_path / "raw", replace(cohort(), kinds=STROKE))
    meta = json.loads((made / "dataset.json").read_text())
    assert meta["labels"] == {"background": 0, **written}
    assert ("regions_class_order" in meta) == (values == {0, 2, 3})
    found = {int(v) for p in made.glob("labels*/*") for v in np.unique(nib.load(p).dataobj)}
    assert found == values
    again = imported("nnunet", made, tmp_path / "again")
    assert read_labels_of(again.meta).keys() == read_labels_of(scans.meta).keys()
    for name in scans.names:
        np.testing.assert_array_equal(again.mask(name), scans.mask(name))
