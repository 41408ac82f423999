"""Laws: NIfTI layouts keep the image byte for byte; splits and labels are those declared."""

import gzip
import json
from pathlib import Path

import layout_factory as make
import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import survey
from strokediff.errors import InputError, UsageError


def test_ctich_keeps_the_image_and_reads_both_kinds_of_masks(tmp_path: Path, imported) -> None:
    source = make.ctich(tmp_path / "src")
    made = imported("ctich", source)
    assert made.names == ["ctich_049", "ctich_050"]
    packed = (made.path / "images" / "ctich_049.nii.gz").read_bytes()
    assert gzip.decompress(packed) == (source / "ct_scans" / "049.nii").read_bytes()
    for name in made.names:
        np.testing.assert_array_equal(made.mask(name), make.labels())
        nib_mask = nib.load(made.path / "labels" / f"{name}.nii.gz")
        np.testing.assert_array_equal(nib_mask.affine, made.image(name).affine)
    entry = made.meta["patients"]["ctich_049"]
    assert entry["lesion_ml"] == pytest.approx(240 * 2.4 * 2.4 * 5 / 1000)
    assert (made.meta["spacing"], "declared_split" in made.meta) == ("known", False)


def test_nnunet_splits_labels_and_licence(tmp_path: Path, imported) -> None:
    source = make.nnunet(tmp_path / "src")
    made = imported("nnunet", source)
    assert made.meta["declared_split"] == {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    assert made.meta["labels"] == {"infarct": 1, "haemorrhage": 2}
    assert made.meta["licence"] == "CC0"
    assert (made.path / "images" / "a.nii.gz").read_bytes() == (
        source / "imagesTr" / "a_0000.nii.gz"
    ).read_bytes()
    assert all(made.mask(name).any() for name in "abcd")


def test_nnunet_labels_are_chosen_by_name(tmp_path: Path, imported) -> None:
    made = imported("nnunet", make.nnunet(tmp_path / "src"), labels=("bleed",))
    assert [name for name in made.names if made.mask(name).any()] == ["b"]


def test_nnunet_regions_versions_and_what_is_ignored(tmp_path: Path) -> None:
    regions = {"background": 0, "any": [1, 2], "ignore": 3}
    found = survey(open_layout("nnunet", make.nnunet(tmp_path / "a", labels=regions)))
    assert found.lesion.values == (1, 2) and not found.errors
    assert any("'ignore' counts as no lesion" in f.what for f in found.findings)
    old = make.nnunet(tmp_path / "b", labels={"0": "background", "1": "infarct", "2": "bleed"})
    assert survey(open_layout("nnunet", old)).lesion.names == ("infarct", "bleed")


def test_nnunet_without_a_split_declares_none(tmp_path: Path, imported) -> None:
    source = make.nnunet(tmp_path / "src", test=False)
    (source / "splits_final.json").unlink()
    assert "declared_split" not in imported("nnunet", source).meta


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel_names": {"0": "CT", "1": "CBF"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "T1"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "CTA"}}, 'expected one channel, CT, got .*write {"0": "CT"}'),
        ({"channel_names": {"0": "CT angiography"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "CT_contrast"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "CECT"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "CTP"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "CT perfusion"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "portal venous CT"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": ""}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": "noNorm"}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": 3}}, "expected one channel, CT, got"),
        ({"channel_names": {"0": [["CT"]]}}, "expected one channel, CT, got"),
        ({"channel_names": {}}, "expected one channel, CT, got"),
        ({"channel_names": ["CT"]}, "expected one channel, CT, got"),
        ({"channel_names": None}, "expected one channel, CT, got"),
        ({"file_ending": [".nii.gz"]}, "expected file_ending"),
        ({"file_ending": {"a": 1}}, "expected file_ending"),
        ({"labels": None}, "'labels' cannot be read"),
        ({"labels": []}, "'labels' cannot be read"),
        ({"labels": "lesion"}, "'labels' cannot be read"),
        ({"labels": {}}, "expected at least one class"),
        ({"labels": {"background": 0, "a": None}}, "'labels' cannot be read"),
        ({"labels": {"background": 0, "a": True}}, "'labels' cannot be read"),
        ({"labels": {"background": 0, "a": 1.5}}, "'labels' cannot be read"),
        ({"labels": {"background": 0, "a": [[1]]}}, "'labels' cannot be read"),
        ({"labels": {"background": 0, "a": {"b": 1}}}, "'labels' cannot be read"),
        ({"labels": {"background": 0, "a": 2**40}}, "'labels' cannot be read"),
        ({"file_ending": ".nrrd"}, r"expected file_ending \.nii\.gz or \.nii, got '\.nrrd'"),
        ({"labels": {"background": 0}}, "expected at least one class"),
        ({"labels": {"background": "x"}}, "'labels' cannot be read"),
        ({"labels": {"background": 0, "any": [0, 1]}}, "expected classes of .* got any with 0"),
        ({"labels": {"background": 0, "none": []}}, "expected classes of .* got none with 0"),
        ({"labels": {"background": 0, "less": -1}}, "expected classes of .* got less with 0"),
    ],
)
def test_an_nnunet_set_that_does_not_suit_is_refused(tmp_path: Path, changes, message) -> None:
    with pytest.raises(InputError, match=rf"dataset\.json: {message}"):
        open_layout("nnunet", make.nnunet(tmp_path, **changes))


@pytest.mark.parametrize(
    "channel",
    [
        *("CT", "CT ", "ct", "NCCT", "nCCT", "CT_NC", "Computed Tomography", "non-contrast CT"),
        *("CT without contrast", "noncontrast CT", "plain head CT", "NECT", "unenhanced CT"),
    ],
)
def test_plain_ct_has_many_names(tmp_path: Path, channel: str) -> None:
    for key in ("channel_names", "modality"):
        source = make.nnunet(tmp_path / key)
        meta = json.loads((source / "dataset.json").read_text())
        del meta["channel_names"]
        (source / "dataset.json").write_text(json.dumps(meta | {key: {"0": channel}}))
        assert len(open_layout("nnunet", source).list_cases().cases) == 4


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        ({"background": 0, "infarct": 1.0, "bleed": "2"}, {"infarct": (1,), "bleed": (2,)}),
        ({"0": "background", "1": "infarct", "2": "bleed"}, {"infarct": (1,), "bleed": (2,)}),
        ({"0": 0, "1": 1, "2": 2}, {"1": (1,), "2": (2,)}),
        ({"background": 0, "all": [1, 2], "bleed": 2}, {"all": (1, 2), "bleed": (2,)}),
    ],
)
def test_labels_are_read_in_every_form_in_use(tmp_path: Path, labels, values) -> None:
    assert open_layout("nnunet", make.nnunet(tmp_path, labels=labels)).labels == values


def test_a_description_that_is_no_json_of_ours_is_named(tmp_path: Path) -> None:
    source = make.nnunet(tmp_path)
    for text in ("{", "[]", '{"a":' * 100_000, '{"licence": 1e999}'):
        (source / "dataset.json").write_text(text)
        with pytest.raises(InputError, match=r"dataset\.json: .*Repair it"):
            open_layout("nnunet", source)


def test_cases_of_any_name_keep_the_split_that_is_declared(tmp_path: Path, imported) -> None:
    source = make.nnunet(tmp_path / "src")
    renamed = {"a": "张伟", "b": "sub 01", "c": "=cmd"}
    for old, new in renamed.items():
        for part, end in (("imagesTr", "_0000"), ("labelsTr", "")):
            path = source / part / f"{old}{end}.nii.gz"
            path.rename(path.with_name(f"{new}{end}.nii.gz"))
    folds = [{"train": ["张伟", "sub 01"], "val": ["=cmd"]}]
    (source / "splits_final.json").write_text(json.dumps(folds))
    made = imported("nnunet", source)
    split = {"train": ["sub 01", "张伟"], "val": ["cmd"], "test": ["d"]}
    assert {part: sorted(names) for part, names in made.meta["declared_split"].items()} == split


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([{"train": ["a", 3], "val": ["c"]}], "each with lists of names as 'train' and 'val'"),
        ([{"train": "abc", "val": ["c"]}], "each with lists of names"),
        ([{"train": {"a": 1}, "val": ["c"]}], "each with lists of names"),
        ([{"train": [["a"]], "val": [["a"]]}], "each with lists of names"),
        ([{"train": ["a"]}], "each with lists of names"),
        ([["a"], ["c"]], "each with lists of names"),
        ([None], "each with lists of names"),
        (3, "expected a list, got a number"),
        ([{"train": ["a", "c"], "val": ["c"]}], "same patient in train and val: c"),
        ([{"train": ["a"], "val": ["../x"]}], r"names cases that imagesTr lacks: \.\./x"),
        ([], "expected a list of folds"),
        ({"train": []}, "expected a list, got an object"),
    ],
)
def test_a_wrong_fold_is_refused(tmp_path: Path, folds, message) -> None:
    source = make.nnunet(tmp_path)
    (source / "splits_final.json").write_text(json.dumps(folds))
    with pytest.raises(InputError, match=message):
        survey(open_layout("nnunet", source))


def test_bids_matches_sessions_and_passes_over_brains(tmp_path: Path, imported) -> None:
    made = imported("bids", make.bids(tmp_path / "src"))
    assert made.names == ["sub-01_ses-01", "sub-01_ses-02", "sub-02"]
    assert made.meta["patients"]["sub-01_ses-02"]["patient"] == "sub-01"
    assert all(made.mask(name).any() for name in made.names)


def test_bids_masks_may_lie_deeper_and_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    path = next(source.glob("derivatives/*/sub-01/ses-01/anat/*lesion*"))
    deeper = path.parent / "masks" / "expert"
    deeper.mkdir(parents=True)
    path.rename(deeper / path.name)
    (deeper / "again").symlink_to(deeper)
    found = open_layout("bids", source).list_cases()
    assert found.cases[0].pairs[0].mask == deeper / path.name
    assert all(case.pairs[0].mask for case in found.cases) and not found.stray_masks


def test_two_masks_or_scans_of_one_session_are_named(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    make.nifti(
        source / "derivatives" / "other" / "sub-02" / "sub-02_label-lesion_dseg.nii.gz",
        make.labels(),
    )
    with pytest.raises(InputError, match=r"sub-02 has 2 lesion masks: .*manual.*, .*other"):
        open_layout("bids", source).list_cases()
    make.nifti(source / "sub-02" / "ct" / "sub-02_run-2_ct.nii.gz", make.hounsfield())
    with pytest.raises(InputError, match=r"sub-02 has 2 CT images: .*run-2_ct\.nii\.gz"):
        open_layout("bids", source).list_cases()


def test_several_classes_in_bids_are_told_and_may_be_chosen(tmp_path: Path, imported) -> None:
    source = make.bids(tmp_path / "src")
    path = next(source.glob("derivatives/*/sub-02/anat/*lesion*"))
    mask = make.labels()
    mask[:, :, 3] *= 2
    make.nifti(path, mask)
    found = survey(open_layout("bids", source))
    assert any("several classes count as lesion: 1, 2" in str(f) for f in found.findings)
    made = imported("bids", source, labels=("2",))
    assert made.mask("sub-02").any(axis=(0, 1)).nonzero()[0].tolist() == [3]
    with pytest.raises(UsageError, match="expected whole numbers above 0 for bids, got 'core'"):
        survey(open_layout("bids", source), labels=("core",))


def test_heads_of_few_slices_are_taken_with_a_warning(tmp_path: Path, imported) -> None:
    source = make.ctich(tmp_path / "src")
    for i, part in enumerate(("ct_scans", "masks")):
        thin = (make.labels() if i else make.hounsfield(7))[:, :, 1:4]
        make.nifti(source / part / "050.nii", thin)
    made = imported("ctich", source)
    assert made.hu("ctich_050").shape[2] == 3
    assert [f["what"] for f in made.meta["findings"]] == ["fewer than 5 slices"]


def test_an_image_that_is_no_head_leaves_nothing(tmp_path: Path, imported) -> None:
    source = make.ctich(tmp_path / "src")
    make.nifti(source / "ct_scans" / "050.nii", np.clip(make.hounsfield(), 0, 80))
    with pytest.raises(InputError, match=r"050\.nii: not a whole head in Hounsfield units"):
        imported("ctich", source)
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


@pytest.mark.parametrize(
    ("layout", "build"),
    [("nnunet", make.nnunet), ("ctich", make.ctich), ("ctich", make.ctich_folders)],
)
def test_an_import_again_gives_the_same_bytes(tmp_path: Path, imported, layout, build) -> None:
    source = build(tmp_path / "src")
    made = [imported(layout, source, out=tmp_path / out).path for out in ("one", "two")]
    found = [{p.relative_to(m): p.read_bytes() for p in m.rglob("*.*")} for m in made]
    assert found[0] == found[1] and len(found[0]) >= 5


@pytest.mark.parametrize("damage", ["image", "mask", "grid", "hounsfield"])
def test_a_damaged_scan_costs_that_scan_if_asked(tmp_path: Path, imported, damage: str) -> None:
    source = make.nnunet(tmp_path / "src")
    image, mask = source / "imagesTr" / "b_0000.nii.gz", source / "labelsTr" / "b.nii.gz"
    if damage == "grid":
        make.nifti(mask, make.labels(), make.AFFINE * 1.5)
    elif damage == "hounsfield":
        make.nifti(image, np.clip(make.hounsfield(), 0, 80))
    else:
        path = image if damage == "image" else mask
        path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"b(_0000)?\.nii\.gz"):
        imported("nnunet", source)
    assert not (tmp_path / "dst").exists()
    made = imported("nnunet", source, skip_damaged=True)
    assert made.names == ["a", "c", "d"]
    assert list(made.meta["left_out"]) == ["b"] and ".nii.gz" in made.meta["left_out"]["b"]
    assert made.meta["declared_split"] == {"train": ["a"], "val": ["c"], "test": ["d"]}
    assert "left out, as they cannot be used" in [f["what"] for f in made.meta["findings"]]


def test_if_no_scan_is_sound_none_is_left_out(tmp_path: Path) -> None:
    source = make.ctich(tmp_path)
    for path in source.glob("ct_scans/*"):
        path.write_bytes(b"")
    found = survey(open_layout("ctich", source), skip_damaged=True)
    with pytest.raises(InputError, match=r"049\.nii.*\n.*050\.nii"):
        found.require_sound()
