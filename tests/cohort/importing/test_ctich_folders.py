"""Laws: version 1.0.0 of CT-ICH is read as its authors describe it, and what they say is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import layout_factory as make
import numpy as np
import pytest
from PIL import Image

from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import survey
from strokediff.cohort.sources import Sources, spacing_known_beside
from strokediff.ct.nifti.images import read_nifti
from strokediff.errors import InputError, UsageError

MASKED = (3, 4)


def found(source: Path) -> list[str]:
    return [str(f).split(". ")[0] for f in survey(open_layout("ctich", source)).findings]


def brain(source: Path, patient: str = "049") -> Path:
    return source / "Patients_CT" / patient / "brain"


def test_the_window_the_grid_and_the_masks_are_those_described(tmp_path: Path, imported) -> None:
    made = imported("ctich", make.ctich_folders(tmp_path / "src"))
    assert made.names == ["ctich_049", "ctich_050"]
    volume = read_nifti(made.path / "images" / "ctich_049.nii.gz")
    assert volume.spacing_mm == pytest.approx((0.33, 0.33, 5.0))
    hu = made.hu("ctich_049")
    assert (hu[6, 48, 0], hu.max()) == (-1000, 800)
    assert hu[48, 60, 0] == pytest.approx(make.BRAIN_GREY / 255 * 120 - 20, abs=1)
    mask = volume.from_source(made.mask("ctich_049"))
    x, y, z = np.argwhere(mask).T
    assert sorted(set(z + 1)) == list(MASKED)  # slice 1 is the lowest
    assert y.mean() > make.SIDE / 2 and x.mean() > make.SIDE / 2  # front up, right on the left
    assert mask.sum() == 2 * 10 * 12  # cut at 127, whatever JPEG made of the edges
    assert not made.mask("ctich_050").any()


def test_what_is_assumed_is_told_and_kept(tmp_path: Path, imported) -> None:
    made = imported("ctich", make.ctich_folders(tmp_path / "src"))
    assert made.meta["spacing"] == "assumed"
    assert made.meta["spacing_note"].startswith("pixels of 0.33 mm for every patient")
    ml = made.meta["patients"]["ctich_049"]["lesion_ml"]
    assert ml == pytest.approx(240 * 0.33**2 * 5 / 1000)
    assert spacing_known_beside(made.path / "labels")  # volumes are in mL
    assert Sources.of(made.path).origin()["spacing"] == "assumed"
    assert "pixels of 0.33 mm" in Sources.of(made.path).origin()["spacing_note"]


def test_the_side_of_a_pixel_is_the_users_to_say(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src")
    layout = open_layout("ctich", source, pixel_mm=0.45)
    fact = survey(layout).facts[0]
    assert fact.lesion_ml == pytest.approx(240 * 0.45**2 * 5 / 1000)
    assert layout.spacing_note is not None and "0.45 mm" in layout.spacing_note
    assert open_layout("ctich", source).assumed_pixel_mm == 0.33
    for side in (0.0, -1.0, 33.0, float("nan")):
        with pytest.raises(UsageError, match=r"--pixel-mm: expected 0\.2 to 3\.0 mm, got"):
            open_layout("ctich", source, pixel_mm=side)
    with pytest.raises(UsageError, match=r"--pixel-mm: .* has its spacing in its files"):
        open_layout("ctich", make.ctich(tmp_path / "nifti"), pixel_mm=0.4)


def test_the_folder_of_patients_itself_may_be_given(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src")
    inner = open_layout("ctich", source / "Patients_CT").list_cases()
    assert [case.name for case in inner.cases] == ["ctich_049", "ctich_050"]


def test_bone_windows_demographics_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src")
    make.save(source / "Patients_CT" / "049" / "bone" / "1.jpg", np.full((96, 96), 9, np.uint8))
    (source / "Patient_demographics.csv").write_text("x")
    (brain(source) / "._1.jpg").write_bytes(b"left by macOS")
    assert found(source) == ["patients without a lesion: ctich_050"]


def test_slices_are_ordered_by_number_and_both_cases_of_names_are_read(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src", slices=12)
    (brain(source) / "3_HGE_Seg.jpg").rename(brain(source) / "3_hge_seg.JPG")
    (brain(source) / "5.jpg").rename(brain(source) / "5.JPEG")
    (case, _) = open_layout("ctich", source).list_cases().cases
    assert case.numbers == tuple(range(1, 13))
    assert [n for n, pair in zip(case.numbers, case.pairs, strict=True) if pair.mask] == [3, 4]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("gap", "gaps in the numbers of slices: ctich_049 (2)"),
        ("doubled", "several slices of one number: ctich_049 (2)"),
        ("stray", "masks without an image: Patients_CT/049/brain/9_HGE_Seg.jpg"),
        ("doubled mask", "masks without an image: Patients_CT/049/brain/3_HGE_Seg.png"),
        ("no brain", "folders without images: Patients_CT/051"),
        ("empty brain", "folders without images: Patients_CT/051"),
        ("foreign name", "files that are not read: Patients_CT/049/brain/scout.jpg"),
        ("foreign kind", "files that are not read: Patients_CT/049/brain/1.bmp"),
    ],
)
def test_what_is_wrong_with_slices_is_told(tmp_path: Path, change: str, told: str) -> None:
    source = make.ctich_folders(tmp_path / "src")
    folder = brain(source)
    if change == "gap":
        (folder / "2.jpg").unlink()
    elif change == "no brain":
        (source / "Patients_CT" / "051" / "bone").mkdir(parents=True)
    elif change == "empty brain":
        brain(source, "051").mkdir(parents=True)
    else:
        name = {
            "doubled": "02.jpg",
            "stray": "9_HGE_Seg.jpg",
            "doubled mask": "3_HGE_Seg.png",
            "foreign name": "scout.jpg",
            "foreign kind": "1.bmp",
        }[change]
        make.save(folder / name, make.grey())
    assert told in found(source)


def test_a_mask_of_another_size_and_a_cut_file_are_told(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src")
    make.save(brain(source) / "3_HGE_Seg.jpg", np.zeros((90, 96), np.uint8))
    with pytest.raises(InputError, match=r"3_HGE_Seg\.jpg: expected 96 x 96 .* got 96 x 90"):
        survey(open_layout("ctich", source)).require_sound()
    path = brain(source, "050") / "4.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=r"(?s)3_HGE_Seg.*4\.jpg: expected a complete PNG or JPEG"):
        survey(open_layout("ctich", source)).require_sound()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("49,1,1\n49,2,1\n49,3,0\n49,4,0\n49,5,1\n49,6,1\n", None),
        ("77,1,1\n", None),
        ("49,1,1\n49,3,0\n49,4,0\n49,5,0\n", "has a haemorrhage but no mask of 1 .*049 \\(5\\)"),
        ("49,1,1\n49,3,1\n49,4,0\n", "has no haemorrhage but a mask of 1 .*049 \\(3\\)"),
        ("49,7,1\n49,3,0\n49,4,0\n", "has slices that are not there of 1 .*049 \\(7\\)"),
        ("49,x,1\n", "is not compared: it cannot be read"),
        ("49\n", "is not compared: it cannot be read"),
        ("49,1,1" + ",0" * 40_000 + "\n", None),
        ('49,1,"' + "9" * 200_000 + '"\n', "is not compared: it cannot be read"),
    ],
)
def test_the_table_of_diagnoses_is_compared(tmp_path: Path, rows: str, told: str | None) -> None:
    source = make.ctich_folders(tmp_path / "src")
    table = "PatientNumber,SliceNumber,No_Hemorrhage\n" + rows
    (source / "hemorrhage_diagnosis.csv").write_text(table, "utf-8-sig")
    notes = open_layout("ctich", source).list_cases().notes
    assert len(notes) == (told is not None)
    if told:
        assert re.search(told, notes[0])


def test_masks_lost_everywhere_are_no_lesion_free_data_set(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src")
    for path in source.rglob("*_HGE_Seg.jpg"):
        path.unlink()
    assert any("no lesion anywhere: classes haemorrhage" in text for text in found(source))


def test_single_slices_of_the_set_have_its_window(tmp_path: Path, imported) -> None:
    made = imported("ctich", make.single(tmp_path / "src", ((210, 80, 0),) * 2))
    expected = round(make.BRAIN_GREY / 255 * 120 - 20)
    assert made.hu("ctich_100")[48, 60, 0] == expected


def test_colour_is_no_slice(tmp_path: Path) -> None:
    source = make.ctich_folders(tmp_path / "src")
    picture = Image.new("RGB", (make.SIDE, make.SIDE), (200, 0, 0))
    picture.save(brain(source) / "1.jpg")
    with pytest.raises(InputError, match=r"1\.jpg: expected a grey picture, got colours"):
        survey(open_layout("ctich", source)).require_sound()


def test_the_record_is_plain_json(tmp_path: Path, imported) -> None:
    made = imported("ctich", make.ctich_folders(tmp_path / "src"))
    assert json.loads((made.path / "cohort.json").read_text())["labels"] == {"haemorrhage": 1}
