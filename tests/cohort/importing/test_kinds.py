"""Classes become kinds of lesion: by their names, by the layout, or as the user says."""

from __future__ import annotations

import json
from pathlib import Path

import layout_factory as make
import numpy as np
import pytest

from strokediff.cohort.importing.classes import LesionClasses, parsed_kinds
from strokediff.cohort.importing.convert import import_dataset
from strokediff.cohort.importing.kinds import kind_named
from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import survey
from strokediff.cohort.masks import MaskReader, read_labels_of
from strokediff.errors import InputError, UsageError
from strokediff.util.kinds import checked_kinds

CPAISD = {"core": ("core",), "penumbra": ("penumbra",)}


def slices_with(mask: np.ndarray, value: int) -> list[int]:
    return (mask == value).any(axis=(0, 1)).nonzero()[0].tolist()


def test_cpaisd_is_infarct_and_its_classes_are_kinds_if_asked(tmp_path: Path, imported) -> None:
    source = make.cpaisd(tmp_path / "src")
    joined = imported("cpaisd", source)
    assert joined.meta["labels"] == {"infarct": 1}
    assert slices_with(joined.mask(joined.names[0]), 1) == [2, 3, 4]
    apart = imported("cpaisd", source, tmp_path / "apart", kinds=CPAISD)
    assert apart.meta["labels"] == {"core": 1, "penumbra": 2}
    mask = apart.mask(apart.names[0])
    assert (slices_with(mask, 1), slices_with(mask, 2)) == ([2, 3], [4])
    entry = apart.meta["patients"][apart.names[0]]
    assert entry["lesion_voxels"] == sum(entry["kind_voxels"].values()) == 3 * 120
    assert "core in 3 scans" not in json.dumps(joined.meta)


def test_aisd_stages_may_be_told_apart_and_mapped_to_any_kind(tmp_path: Path, imported) -> None:
    kinds = {"old": ("remote",), "infarct": ("clear", "blurred", "5"), "unseen": ("4",)}
    made = imported("aisd", make.aisd(tmp_path / "src"), kinds=kinds)
    assert made.meta["labels"] == {"infarct": 1, "old": 2, "unseen": 3}
    assert made.meta["classes"]["infarct"] == ["clear", "blurred", "infarct"]
    found = [int(made.mask(made.names[0])[:, :, k].max()) for k in range(6)]
    assert found == [0, 2, 1, 1, 3, 1]


@pytest.mark.parametrize(
    ("layout", "declared"),
    [
        ("phe-sich", {"oedema": 1}),
        ("aisd", {"infarct": 1}),
        ("ctich", {"haemorrhage": 1}),
        ("ctich-folders", {"haemorrhage": 1}),
        ("bids", None),
    ],
)
def test_one_kind_is_written_as_ever_and_named(
    tmp_path: Path, imported, layout: str, declared: dict[str, int] | None
) -> None:
    maker = getattr(make, layout.replace("-", "_"))
    made = imported(layout.removesuffix("-folders"), maker(tmp_path / "src"))
    assert made.meta.get("labels") == declared
    assert made.meta.get("data_set") == (None if layout == "bids" else made.meta["layout"])
    for name in made.names:
        assert made.mask(name).dtype == np.uint8
        assert set(np.unique(made.mask(name))) <= {0, 1}


def test_regions_overlap_in_the_masks_and_in_what_is_declared(tmp_path: Path, imported) -> None:
    """Values 1 and 2 are the whole, 2 is the core of it; what is read back is what was there."""
    source = make.nnunet(tmp_path / "src", labels={"background": 0, "tumour": [1, 2], "core": 2})
    made = imported("nnunet", source)
    assert made.meta["labels"] == {"infarct": 3, "tumour": [2, 3]}
    assert [int(made.mask(name).max()) for name in "ab"] == [2, 3]
    labels = read_labels_of(made.meta)
    reader = MaskReader(("infarct", "tumour"), labels)
    _, (core, whole) = reader.read(made.path / "labels" / "b.nii.gz")
    assert core.sum() == whole.sum() == np.count_nonzero(make.labels())
    _, (core, whole) = reader.read(made.path / "labels" / "a.nii.gz")
    assert not core.any() and whole.any()


@pytest.mark.parametrize(
    ("labels", "declared"),
    [
        ({"IPH": 1, "IVH": 2}, {"haemorrhage": 1}),
        ({"Ischemic Core": 1, "haematoma": 2}, {"infarct": 1, "haemorrhage": 2}),
        ({"Hämatom": 1, "edema": 2}, {"hamatom": 1, "oedema": 2}),
        ({"lesion": 1, "bleed": 2}, None),
        ({"1": [1], "2": [2]}, {"class-1": 1, "class-2": 2}),
    ],
)
def test_names_in_use_are_mapped_to_the_kinds(tmp_path: Path, labels, declared) -> None:
    layout = open_layout("nnunet", make.nnunet(tmp_path, labels={"background": 0, **labels}))
    assert LesionClasses.chosen(layout).labels() == (declared or {})


@pytest.mark.parametrize("name", ["Core", "ICH + edema", "1", "Ödem", "__", "x" * 80, "非", "-a"])
def test_every_name_gives_a_kind_that_is_one(name: str) -> None:
    assert checked_kinds([kind_named(name)])


def test_labels_join_what_they_choose(tmp_path: Path, imported) -> None:
    source = make.nnunet(tmp_path / "src")
    both = imported("nnunet", source, labels=("infarct", "bleed"))
    assert "labels" not in both.meta and both.meta["classes"] == {"lesion": ["infarct", "bleed"]}
    assert {int(both.mask(name).max()) for name in "ab"} == {1}
    one = imported("nnunet", source, tmp_path / "one", labels=("bleed",))
    assert one.meta["labels"] == {"haemorrhage": 1}


def test_values_of_any_number_are_mapped_and_what_is_passed_over_is_told(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    mask = make.labels()
    mask[:, :, 3] *= 5
    make.nifti(next(source.glob("derivatives/*/sub-02/anat/*lesion*")), mask)
    kinds = {"infarct": ("1",), "haemorrhage": ("2",)}
    told = [str(finding) for finding in survey(open_layout("bids", source), kinds=kinds).findings]
    assert any("values that count as no lesion: 5" in text for text in told)
    assert any("kinds of lesion that no scan shows: haemorrhage" in text for text in told)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"infarct": ("bone",)}, r"--as: bone is no class of cpaisd\. Expected .*core \(1\)"),
        ({"infarct": ("core",), "old": ("1",)}, "--as: core is given to two kinds"),
        ({"Infarct!": ("core",)}, "--as: a kind of lesion is named with small letters"),
        ({"lesion": ("core",), "old": ("penumbra",)}, "'lesion' is any kind, so it stands alone"),
        ({"infarct": ()}, "--as: nothing is no class of cpaisd"),
        ({}, "--as: expected 1 to 8 different kinds"),
    ],
)
def test_maps_that_cannot_be_meant_are_refused(tmp_path: Path, kinds, message: str) -> None:
    layout = open_layout("cpaisd", make.cpaisd(tmp_path, train=1, test=0))
    with pytest.raises(UsageError, match=message):
        survey(layout, kinds=kinds)


def test_a_choice_is_made_in_one_way_and_before_anything_is_read(tmp_path: Path) -> None:
    source = make.cpaisd(tmp_path / "src", train=1, test=0)
    with pytest.raises(UsageError, match="--labels joins classes and --as tells them apart"):
        import_dataset("cpaisd", source, tmp_path / "out", labels=["core"], kinds=CPAISD)


def test_values_that_are_not_declared_stop_an_import_of_kinds(tmp_path: Path) -> None:
    source = make.nnunet(tmp_path / "src")
    make.nifti(source / "labelsTr" / "a.nii.gz", make.labels(7))
    with pytest.raises(InputError, match=r"unexpected label values: a \(7\).*0 background, 1 inf"):
        import_dataset("nnunet", source, tmp_path / "out", kinds={"infarct": ["1"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("infarct=", "expected KIND=CLASS"),
        ("=core", "expected KIND=CLASS"),
        ("infarct=core++penumbra", "expected KIND=CLASS"),
        ("core,", "expected KIND=CLASS"),
        ("infarct=core,infarct=penumbra", r"infarct is there twice\. Join its classes with \+"),
    ],
)
def test_what_as_says_must_be_readable(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed_kinds(text)
