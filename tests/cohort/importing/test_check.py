"""Laws: every fault is found before anything is written, and all of them are named at once."""

import os
import shutil
from pathlib import Path

import layout_factory as make
import numpy as np
import pytest

from strokediff.cohort.importing.check import Severity
from strokediff.cohort.importing.convert import convert
from strokediff.cohort.importing.names import inside
from strokediff.cohort.importing.registry import LAYOUTS, open_layout
from strokediff.cohort.importing.survey import survey
from strokediff.errors import InputError, UsageError


def refused(layout: str, source: Path, match: str) -> None:
    """The survey has the error, and converting stops at it and leaves nothing."""
    found = survey(open_layout(layout, source))
    out = source.parent / "dst"
    with pytest.raises(InputError, match=match):
        convert(found, out)
    assert [p.name for p in source.parent.iterdir()] == [source.name]


def warned(layout: str, source: Path) -> list[str]:
    found = survey(open_layout(layout, source))
    assert not found.errors
    return [str(f) for f in found.findings if f.severity is Severity.WARNING]


def test_a_sound_set_has_no_findings(tmp_path: Path) -> None:
    assert warned("phe-sich", make.phe_sich(tmp_path / "src")) == []


def test_missing_masks_and_masks_without_images_are_named_together(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    (source / "masks" / "0001_03.png").unlink()
    (source / "images" / "0002_00.png").unlink()
    refused("phe-sich", source, r"(?s)without a mask: images/0001_03\.png.*masks/0002_00\.png")


@pytest.mark.parametrize("part", ["images", "masks"])
def test_sizes_that_differ(tmp_path: Path, part: str) -> None:
    source = make.phe_sich(tmp_path / "src")
    make.save(source / part / "0001_03.png", np.zeros((96, 90), np.uint8))
    refused("phe-sich", source, r"0001_03\.png: expected 96 x 96 pixels .* got 90 x 96")


def test_a_volume_on_another_grid(tmp_path: Path) -> None:
    source = make.ctich(tmp_path / "src")
    moved = make.AFFINE.copy()
    moved[0, 3] = 30
    make.nifti(source / "masks" / "049.nii", make.labels(), moved)
    refused("ctich", source, r"grids differ:\n  .*049\.nii: expected the grid of .*30 mm apart")


def test_all_images_that_cannot_be_read_are_named_together(tmp_path: Path) -> None:
    """Only the masks are read whole by the survey; images, when they are written."""
    source = make.ctich(tmp_path / "src")
    images = sorted((source / "ct_scans").iterdir())[:2]
    for image in images:
        image.write_bytes(image.read_bytes()[:-100])
    both = r"(?s)" + ".*".join(rf"{image.name}: expected a complete NIfTI" for image in images)
    refused("ctich", source, both)


@pytest.mark.parametrize(
    ("layout", "build", "mask", "value", "match"),
    [
        ("phe-sich", make.phe_sich, "masks/0001_03.png", 7, r"phe_0001 \(7\).*255 oedema"),
        ("aisd", make.aisd, "mask/0072723/003.png", 6, r"aisd_0072723 \(6\).*4 invisible"),
        (
            "cpaisd",
            lambda root: make.single(root, ((255, 0, 0),) * 2),
            "masks/100.png",
            (0, 0, 255),
            r"cpaisd_100 \(#0000ff\)",
        ),
    ],
)
def test_unknown_label_values(tmp_path: Path, layout, build, mask, value, match) -> None:
    source = build(tmp_path / "src")
    make.save(source / mask, make.drawn(value))
    refused(layout, source, f"(?s)unexpected label values: {match}")


def test_fractions_are_no_labels(tmp_path: Path) -> None:
    source = make.ctich(tmp_path / "src")
    make.nifti(source / "masks" / "049.nii", make.labels() * np.float32(0.5))
    refused("ctich", source, r"049\.nii: expected a mask of whole numbers.* such as 0\.5")


def test_a_patient_in_two_splits(tmp_path: Path) -> None:
    source = make.cpaisd(tmp_path / "src")
    shutil.copytree(source / "train" / "1.2.0", source / "test" / "1.2.0")
    refused("cpaisd", source, r"patients in two splits: 1\.2\.0 \(test and train\)")


def test_a_copy_under_another_name_in_another_split(tmp_path: Path) -> None:
    source = make.cpaisd(tmp_path / "src")
    shutil.copytree(source / "train" / "1.2.0", source / "test" / "1.2.7")
    refused("cpaisd", source, r"copies of one image in two splits: cpaisd_1\.2\.0 = cpaisd_1\.2\.7")


def test_a_copy_in_one_split_is_a_warning(tmp_path: Path) -> None:
    source = make.ctich(tmp_path / "src")
    for part in ("ct_scans", "masks"):
        shutil.copyfile(source / part / "049.nii", source / part / "051.nii")
    assert "ctich_049 = ctich_051" in warned("ctich", source)[0]


def test_patients_without_a_lesion_are_kept_with_a_warning(tmp_path: Path) -> None:
    source = make.ctich(tmp_path / "src")
    make.nifti(source / "masks" / "049.nii", make.labels(0))
    assert "patients without a lesion: ctich_049" in warned("ctich", source)[0]


def test_no_lesion_anywhere_is_an_error(tmp_path: Path) -> None:
    source = make.ctich(tmp_path / "src")
    for name in ("049", "050"):
        make.nifti(source / "masks" / f"{name}.nii", make.labels(0))
    refused("ctich", source, "no lesion anywhere: classes haemorrhage")


@pytest.mark.parametrize("file", [None, "000.bmp"])
def test_a_patient_without_pictures(tmp_path: Path, file: str | None) -> None:
    source = make.aisd(tmp_path / "src")
    for part in ("image", "mask"):
        folder = source / part / "0080000"
        folder.mkdir()
        if file:
            make.save(folder / file, make.grey())
    refused("aisd", source, "folders without images: .*0080000. Expected images of image/PATIENT")
    found = survey(open_layout("aisd", source)).findings
    unread = [f.where for f in found if f.what == "files that are not read"]
    assert unread == ([(f"image/0080000/{file}", f"mask/0080000/{file}")] if file else [])


def test_studies_and_slices_without_archives(tmp_path: Path) -> None:
    source = make.cpaisd(tmp_path / "src")
    (source / "train" / "1.2.8").mkdir()
    (source / "train" / "1.2.9" / "0").mkdir(parents=True)
    for part in ("image", "mask"):
        (source / "train" / "1.2.0" / "5" / f"{part}.npz").unlink()
    refused("cpaisd", source, r"without images: train/1\.2\.0/5, train/1\.2\.8, train/1\.2\.9/0\.")


@pytest.mark.parametrize("layout", ["phe-sich", "aisd", "cpaisd"])
def test_gaps_in_the_numbers_of_slices_are_a_warning(tmp_path: Path, layout: str) -> None:
    """One slice is taken out, or the last one is numbered far beyond the others."""
    if layout == "cpaisd":
        source = make.cpaisd(tmp_path / "src")
        shutil.rmtree(source / "train" / "1.2.0" / "9")
        shown = "cpaisd_1.2.0 (9)"
    elif layout == "aisd":
        source = make.aisd(tmp_path / "src")
        for part in ("image", "mask"):
            (source / part / "0072723" / "003.png").unlink()
        shown = "aisd_0072723 (3)"
    else:
        source = make.phe_sich(tmp_path / "src")
        for part in ("images", "masks"):
            (source / part / "0001_05.png").rename(source / part / "0001_31.png")
        shown = "phe_0001 (5, 6, 7, 8, 9, ...)"
    assert warned(layout, source) == [
        f"gaps in the numbers of slices: {shown}. If slices are missing, add them: those on both "
        "sides count as neighbours."
    ]


def test_folders_named_by_uids_number_nothing(tmp_path: Path) -> None:
    source = make.cpaisd(tmp_path / "src")
    for k, folder in enumerate(sorted((source / "train" / "1.2.0").iterdir())):
        folder.rename(folder.with_name(f"1.2.840.{k}.7"))
    assert warned("cpaisd", source) == []


def test_two_slices_of_one_number(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    for part in ("images", "masks"):
        shutil.copyfile(source / part / "0001_03.png", source / part / "0001_3.png")
    refused("phe-sich", source, r"several slices of one number: phe_0001 \(3\). Keep one of each")


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    make.save(source / "images" / "0001_06.bmp", make.grey())
    assert warned("phe-sich", source) == [
        "files that are not read: images/0001_06.bmp. Expected images/PPPP_SS.png and "
        "masks/PPPP_SS.png; convert them if they are slices."
    ]


def test_a_slice_given_twice(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    make.save(source / "images" / "0001_00.jpg", make.grey())
    with pytest.raises(InputError, match=r"0001_00\.png: the same name as .*0001_00\.jpg"):
        open_layout("phe-sich", source).list_cases()


def test_a_truncated_mask_and_a_truncated_image(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    path = source / "images" / "0002_03.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:80])
    refused("phe-sich", source, r"0002_03\.png: expected a complete PNG")
    path.write_bytes(whole)
    path = source / "masks" / "0001_03.png"
    path.write_bytes(path.read_bytes()[:60])
    refused("phe-sich", source, r"0001_03\.png: expected a complete PNG")


@pytest.mark.parametrize("layout", sorted({layout.name for layout in LAYOUTS}))
def test_an_empty_folder_says_what_is_expected(tmp_path: Path, layout: str) -> None:
    with pytest.raises(InputError, match=f"not the layout of {layout}. Expected .*Found nothing"):
        open_layout(layout, tmp_path)
    with pytest.raises(InputError, match="found nothing there"):
        open_layout(layout, tmp_path / "no")


def test_folders_without_files_say_so(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    with pytest.raises(InputError, match="no images found. Expected images/PPPP_SS.png"):
        survey(open_layout("phe-sich", tmp_path))


def test_an_unknown_layout_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one of: phe-sich, aisd, cpaisd, ctich, nnunet, bids"):
        open_layout("isles", tmp_path)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("张伟", "aisd_张伟"),
        ("sub 01", "aisd_sub 01"),
        ("Müller, Hans", "aisd_Müller, Hans"),
        ("Mu\u0308ller", "aisd_Müller"),
        ("$(touch x)", "aisd__(touch x)"),
        ("a\nb", "aisd_a b"),
        (os.fsdecode(b"M\xfcller"), "aisd_Müller"),
    ],
)
def test_a_name_in_any_script_is_kept_and_what_is_not_safe_replaced(
    tmp_path: Path, folder: str, name: str, imported
) -> None:
    made = imported("aisd", make.aisd(tmp_path / "src", ("0072723", folder)))
    assert made.names == sorted(["aisd_0072723", name])
    assert made.mask(name).any()
    (made.path / "cohort.json").read_text("utf-8").encode("utf-8")  # no bytes that are no text
    assert name in made.meta["patients"]


def test_names_that_one_file_system_takes_for_one_are_refused(tmp_path: Path) -> None:
    source = make.aisd(tmp_path / "src", ("case", "Case"))
    refused("aisd", source, "the same name twice: aisd_Case, aisd_case")


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    (source / "images" / "._0001_00.png").write_bytes(b"left by macOS")
    assert warned("phe-sich", source) == []


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    source = make.phe_sich(tmp_path / "src")
    outside = make.save(tmp_path / "secret.png", make.grey())
    link = source / "images" / "0001_00.png"
    link.unlink()
    link.symlink_to(outside)
    with pytest.raises(InputError, match=r"0001_00\.png: expected a file inside .* is a link to"):
        open_layout("phe-sich", source).list_cases()
    link.unlink()
    link.symlink_to("0001_01.png")
    assert inside(link, source) == link


@pytest.mark.parametrize("target", ["0001_00.png", "gone.png"])
def test_links_that_lead_nowhere_are_named(tmp_path: Path, target: str) -> None:
    source = make.phe_sich(tmp_path / "src")
    link = source / "images" / "0001_00.png"
    link.unlink()
    link.symlink_to(target)
    with pytest.raises(InputError, match=r"0001_00\.png: (a link|expected a complete PNG)"):
        survey(open_layout("phe-sich", source)).require_sound()


def test_labels_that_are_not_there(tmp_path: Path) -> None:
    source = make.aisd(tmp_path / "src")
    with pytest.raises(UsageError, match=r"core is no class of aisd\. Expected .*remote \(1\)"):
        survey(open_layout("aisd", source), labels=("1", "core"))
    with pytest.raises(UsageError, match="nothing is no class of aisd"):
        survey(open_layout("aisd", source), labels=())


def test_a_list_of_test_patients(tmp_path: Path, imported) -> None:
    source, names = make.aisd(tmp_path / "src"), tmp_path / "test.txt"
    names.write_text("# held out\n0073410\n\n", "utf-8-sig")  # as Windows editors save it
    meta = imported("aisd", source, test_list=names).meta
    assert meta["declared_split"] == {
        "train": ["aisd_0072723"],
        "val": [],
        "test": ["aisd_0073410"],
    }


@pytest.mark.parametrize("text", ["../0073410\n", "\n", "1\n"])
def test_a_list_of_strangers_is_refused(tmp_path: Path, text: str) -> None:
    source, names = make.aisd(tmp_path / "src"), tmp_path / "test.txt"
    names.write_text(text)
    with pytest.raises(InputError, match=r"test\.txt: expected patients of the data set"):
        survey(open_layout("aisd", source), test_list=names)


def test_a_list_beside_a_declared_split_is_refused(tmp_path: Path) -> None:
    names = tmp_path / "test.txt"
    names.write_text("1.2.0")
    with pytest.raises(UsageError, match="declares its own split"):
        survey(open_layout("cpaisd", make.cpaisd(tmp_path / "src")), test_list=names)
    with pytest.raises(InputError, match="expected a text file of test patients"):
        survey(open_layout("aisd", make.aisd(tmp_path / "a")), test_list=tmp_path / "none.txt")
