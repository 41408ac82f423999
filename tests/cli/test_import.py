"""Laws: the command says what it found before it writes, and writes nothing that is not sound."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import layout_factory as make
import pytest

from strokediff.cohort.store import open_cohort

Run = Callable[..., int]
DATA = Path(__file__).parents[2].parent / "shared" / "data"


def test_it_says_what_it_found_and_what_comes_next(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = make.phe_sich(tmp_path / "src", patients=3), tmp_path / "dst"
    assert run("import", "phe-sich", source, out) == 0
    shown = capsys.readouterr().out
    for text in (
        "3 of 3 patients",
        "18, 6 with lesion",
        "3 scans; size, median and range: 240 (240 to 240) pixels",
        "unknown: sizes are in pixels",
        "none declared",
        "Nothing amiss was found",
        f"strokediff prepare {out} COHORT",
    ):
        assert text in shown
    assert len(list((out / "images").iterdir())) == 3


def test_volumes_are_in_ml_where_spacing_is_known(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", "nnunet", make.nnunet(tmp_path / "src"), tmp_path / "dst") == 0
    shown = capsys.readouterr().out
    assert "6.9 (6.9 to 6.9) mL" in shown and "2 train, 1 val, 1 test (declared)" in shown


def test_errors_are_shown_and_nothing_is_left(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make.phe_sich(tmp_path / "src")
    (source / "masks" / "0001_03.png").unlink()
    make.save(source / "masks" / "0002_03.png", make.drawn(9))
    assert run("import", "phe-sich", source, tmp_path / "dst") == 3
    captured = capsys.readouterr()
    assert "error" in captured.out and "images without" in captured.out
    assert "images without a mask: images/0001_03.png. Add the masks" in captured.err
    assert "unexpected label values: phe_0002 (9)" in captured.err
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def test_damaged_scans_are_left_out_if_asked_and_the_exit_code_says_so(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = make.nnunet(tmp_path / "src"), tmp_path / "dst"
    (source / "imagesTr" / "b_0000.nii.gz").write_bytes(b"")
    assert run("import", "nnunet", source, out, "--quiet") == 3
    assert run("import", "nnunet", source, out, "--quiet", "--skip-damaged") == 4
    told = capsys.readouterr().err
    assert "written with 3 scans; 1 were left out" in told and "- b: " in told
    cohort = tmp_path / "cohort"
    assert run("prepare", out, cohort, "-j", 1, "--quiet") == 0
    (out / "labels" / "d.nii.gz").write_bytes(b"")
    assert run("prepare", out, cohort, "-j", 1, "--quiet") == 3
    assert run("prepare", out, cohort, "-j", 1, "--quiet", "--skip-damaged") == 4
    assert "written with 2 scans; 1 were left out" in capsys.readouterr().err


def test_copies_and_what_is_assumed_are_told_by_prepare_too(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = make.ctich_folders(tmp_path / "src"), tmp_path / "dst"
    folder = source / "Patients_CT"
    shutil.copytree(folder / "049", folder / "051")
    assert run("import", "ctich", source, out, "--pixel-mm", 2.0) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "spacing assumed: pixels of 2 mm for every patient" in shown
    assert "ctich_049 = ctich_051" in (out / "cohort.json").read_text()
    assert run("prepare", out, tmp_path / "cohort", "-j", 1, "--quiet") == 0
    shown = capsys.readouterr().out
    assert "(pixels of 2 mm for every patient" in shown
    assert "kept together as one patient's: ctich_049 = ctich_051" in shown


def test_quiet_prints_nothing(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make.aisd(tmp_path / "src")
    assert run("import", "aisd", source, tmp_path / "dst", "--labels", "5", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("taken", ["folder", "file", "link"])
def test_what_is_there_is_never_overwritten(
    run: Run, tmp_path: Path, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = make.phe_sich(tmp_path / "src"), tmp_path / "dst"
    if taken == "folder":
        make.save(out / "mine.png", make.grey())
    elif taken == "file":
        out.write_text("mine")
    else:
        out.symlink_to(source)
    assert run("import", "phe-sich", source, out) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make.phe_sich(tmp_path / "src")
    (tmp_path / "file").write_text("")
    assert run("import", "phe-sich", source, tmp_path / "file" / "dst") == 2
    assert "cannot be written" in capsys.readouterr().err
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        assert run("import", "phe-sich", source, tmp_path / "closed" / "dst") == 2


def test_wrong_calls_have_their_codes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("import", "isles", tmp_path / "empty", tmp_path / "dst") == 2
    assert run("import", "aisd", tmp_path / "empty", tmp_path / "dst") == 3
    source = make.aisd(tmp_path / "src")
    assert run("import", "aisd", source, tmp_path / "dst", "--labels", "9") == 2
    assert run("import", "aisd", source, tmp_path / "dst", "--pixel-mm", "0.4") == 2
    assert run("import", "aisd", source, tmp_path / "dst", "--test-list", tmp_path / "no") == 3


@pytest.mark.parametrize(
    ("layout", "folder", "n"),
    [("cpaisd", "cpaisd-slices", 12), ("aisd", "aisd-slices", 12), ("ctich", "ctich-slices", 18)],
)
def test_real_slices(run: Run, tmp_path: Path, layout: str, folder: str, n: int) -> None:
    if not (DATA / folder).is_dir():
        pytest.skip(f"the real slices {folder} are not at hand")
    assert run("import", layout, DATA / folder, tmp_path / "dst", "--quiet") == 0
    assert len(list((tmp_path / "dst" / "labels").iterdir())) == n


def test_kinds_are_told_apart_by_the_command_and_reach_a_prepared_cohort(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cohort = tmp_path / "dst", tmp_path / "cohort"
    source = make.nnunet(tmp_path / "src")
    assert run("import", "nnunet", source, out, "--as", "haemorrhage=bleed,infarct=infarct") == 0
    shown = capsys.readouterr().out
    assert "infarct, haemorrhage (bleed)" in shown
    assert "infarct in 3 scans, haemorrhage in 1 scan\n" in shown
    assert run("prepare", out, cohort, "-j", 1, "--quiet") == 0
    assert open_cohort(cohort).kinds == ("infarct", "haemorrhage")
    assert run("import", "nnunet", source, tmp_path / "b", "--as", "infarct=infarct+bone") == 2
