"""Laws: a folder of results is one run's, goes on where it stopped, and nobody is left out."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from safetensors import SafetensorError

from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU
from strokediff.inference.estimation import Estimation
from strokediff.segmentation import files, outputs
from strokediff.segmentation.folder import ASIDE
from strokediff.segmentation.patients import Job, Outcome, case
from strokediff.util.files import sole

Run = Callable[..., dict[str, Outcome]]


def seen(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir() if not p.name.startswith(".")}


def voxels(folder: Path) -> int:
    """Of the mask; and result.json says the same of it."""
    count = int(np.asarray(nib.load(folder / "lesion_mask.nii.gz").dataobj).sum())
    assert json.loads((folder / "result.json").read_text())["volume_ml"] == count / 1000
    return count


def statuses(out: Path) -> dict[str, str]:
    with (out / "summary.csv").open(encoding="utf-8") as stream:
        return {row["case"]: row["status"] for row in csv.DictReader(stream)}


ONE = {"lesion_mask.nii.gz", "lesion_prob.nii.gz", "result.json"}
MAPS = {"lesion_entropy.nii.gz", "lesion_variance.nii.gz"}


@pytest.mark.parametrize(
    "first",
    [
        {"scans": {"a": "9"}, "uncertainty": True},
        {"scans": {"a": "9"}, "kind": "dicom"},
        {"scans": {"other": "9"}, "kind": "dicom", "uncertainty": True, "seed": 3},
        {"scans": {"a": "9", "b": "8"}},
        {"scans": {"a": "9", "b": "bad", "c": "7"}, "uncertainty": True, "kind": "dicom"},
        {"scans": {"x": "bad"}},
    ],
)
@pytest.mark.parametrize("now", [{"a": "4"}, {"a": "4", "b": "5"}])
def test_what_an_earlier_run_left_is_none_of_this_ones(
    run: Run, tmp_path: Path, first: dict[str, Any], now: dict[str, str]
) -> None:
    """Whatever it was of, only this run's results are seen; what is not ours stays."""
    out = tmp_path / "out"
    run(**first)
    out.mkdir(exist_ok=True)
    (out / "notes.txt").write_text("mine")
    told: list[str] = []
    run(scans=now, told=told)
    assert (out / "notes.txt").read_text() == "mine"
    if "x" in first["scans"]:
        assert told == []
    elif (len(first["scans"]) > 1) != (len(now) > 1):
        assert "set aside" in told[0]
    folders = [out / name for name in now] if len(now) > 1 else [out]
    for folder, size in zip(folders, now.values(), strict=True):
        assert seen(folder) - {"notes.txt", "b", "c", "a"} == ONE
        assert voxels(folder) == int(size)
    masks = {p.parent for p in out.rglob("lesion_mask.nii.gz") if ASIDE not in p.parts}
    assert masks == set(folders)
    assert (out / "summary.csv").exists() == (len(now) > 1)


@pytest.mark.parametrize(
    "scan",
    ["bad", "not a number", "", "9" * 5000],
    ids=["refused", "ValueError", "empty", "OverflowError or so"],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_run_that_fails_leaves_no_older_result_to_be_scored(
    run: Run, tmp_path: Path, scan: str, several: bool, segmented_cases: list[str]
) -> None:
    out = tmp_path / "out"
    other = {"b": "3"} if several else {}
    run(scans={"a": "9", **other})
    outcome = run(scans={"a": scan, **other})["a"]
    assert isinstance(outcome.exception, InputError) and "older result was set" in outcome.error
    place = out / "a" if several else out
    assert not seen(place) & (ONE | MAPS)
    if several:
        assert statuses(out) == {"a": "failed", "b": "ok"}
        assert voxels(out / "b") == 3
    # The good input again: its result was only set aside, and is taken back.
    segmented_cases.clear()
    assert run(scans={"a": "9", **other})["a"].kept
    assert voxels(place) == 9 and segmented_cases == []


@pytest.mark.parametrize("several", [False, True])
def test_the_same_again_is_not_done_again(
    run: Run, tmp_path: Path, segmented_cases: list[str], several: bool
) -> None:
    scans = {"a": "9", "b": "4", "c": "2"} if several else {"a": "9"}
    first = run(scans=scans)
    assert segmented_cases == list(scans)
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    os.utime(tmp_path / "in" / "a", (1, 1))  # a copy has another date
    again = run(scans=scans)
    assert segmented_cases == list(scans)
    assert [o.kept for o in again.values()] == [True] * len(scans)
    volumes = [[o.record and o.record.volume_ml for o in of.values()] for of in (first, again)]
    assert volumes[0] == volumes[1] and all(volumes[0])
    assert before == {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    run(scans=scans, redo=True)
    assert segmented_cases == 2 * list(scans)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"uncertainty": True}, {"estimation": Estimation("avg")}, {"series": "1.2"}],
)
def test_another_setting_is_done_again(
    run: Run, tmp_path: Path, segmented_cases: list[str], change: dict[str, Any]
) -> None:
    scans = {"a": "9", "b": "4"}
    run(scans=scans)
    run(scans=scans, **change)
    assert segmented_cases == 2 * list(scans)
    assert (seen(tmp_path / "out" / "a") >= MAPS) == ("uncertainty" in change)


def test_threads_and_another_place_change_nothing(run: Run, tmp_path: Path, job: Job) -> None:
    known = vars(job.model)
    one, two = (SimpleNamespace(**{**known, "compute": replace(ON_CPU, threads=n)}) for n in (1, 2))
    run(scans={"a": "9", "b": "4"}, model=one)
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert all(o.kept for o in run("moved", scans={"a": "9", "b": "4"}, model=two).values())


def test_the_same_scan_by_another_name_is_another_patients(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert not run(scans={name: "9"})[name].kept
        assert json.loads((tmp_path / "out" / "result.json").read_text())["case"] == name


def test_patients_that_are_new_or_changed_are_done_and_no_others(
    run: Run, tmp_path: Path, segmented_cases: list[str]
) -> None:
    run(scans={"a": "9", "b": "4", "c": "2"})
    segmented_cases.clear()
    run(scans={"a": "9", "b": "5", "c": "2", "d": "1"})
    assert segmented_cases == ["b", "d"]
    assert voxels(tmp_path / "out" / "b") == 5
    assert statuses(tmp_path / "out") == dict.fromkeys("abcd", "ok")


MASK = "lesion_mask.nii.gz"


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / MASK).unlink(),
        lambda folder: (folder / MASK).write_bytes(b""),
        lambda folder: (folder / MASK).write_bytes((folder / MASK).read_bytes()[:40]),
        lambda folder: (folder / "lesion_prob.nii.gz").unlink(),
        lambda folder: shutil.rmtree(folder),
    ],
    ids=["removed", "empty", "torn", "another removed", "all removed"],
)
def test_what_is_damaged_is_done_again(
    run: Run, tmp_path: Path, segmented_cases: list[str], harm: Callable[[Path], None]
) -> None:
    run(scans={"a": "9", "b": "4"})
    harm(tmp_path / "out" / "a")
    segmented_cases.clear()
    assert run(scans={"a": "9", "b": "4"})["a"].error == ""
    assert segmented_cases == ["a"] and voxels(tmp_path / "out" / "a") == 9


@pytest.mark.parametrize("now", [{"seed": 0}, {"seed": 1}], ids=["same", "other settings"])
def test_a_mask_corrected_by_hand_is_never_lost(
    run: Run, tmp_path: Path, now: dict[str, int]
) -> None:
    """It is not taken for this run's either; the other patients go on."""
    run(scans={"a": "9", "b": "4"})
    mask = tmp_path / "out" / "a" / "lesion_mask.nii.gz"
    image = nib.load(mask)
    corrected = np.ones_like(np.asarray(image.dataobj))
    nib.save(nib.Nifti1Image(corrected, image.affine), mask)
    outcomes = run(scans={"a": "9", "b": "4"}, **now)
    assert "lesion_mask.nii.gz was changed after it was written" in outcomes["a"].error
    assert outcomes["b"].error == ""
    assert statuses(tmp_path / "out") == {"a": "failed", "b": "ok"}
    assert np.asarray(nib.load(mask).dataobj).all()
    with pytest.raises(UsageError, match="changed since"):
        run(scans={"c": "1", "d": "2"}, **now)
    run(scans={"a": "9", "b": "4"}, redo=True)
    assert voxels(tmp_path / "out" / "a") == 9


@pytest.mark.parametrize(
    "name", ["lesion_mask.nii.gz", "result.json", "lesion_prob.nii.gz", "ct.nii.gz"]
)
@pytest.mark.parametrize("several", [False, True])
def test_a_file_of_somebody_else_is_never_written_over(
    run: Run, tmp_path: Path, name: str, several: bool
) -> None:
    place = tmp_path / "out" / "a" if several else tmp_path / "out"
    place.mkdir(parents=True)
    (place / name).write_text("mine")
    other = {"b": "4"} if several else {}
    outcomes = run(scans={"a": "9", **other}, kind="dicom")
    assert isinstance(outcomes["a"].exception, UsageError) and name in outcomes["a"].error
    assert (place / name).read_text() == "mine" and seen(place) - {"summary.csv", "b"} == {name}
    assert all(outcomes[n].error == "" for n in other)


def test_a_nifti_called_ct_may_lie_where_its_result_goes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ct.nii.gz").write_text("mine")
    for size in ("9", "8"):
        assert run(scans={"a": size})["a"].error == ""
        assert (tmp_path / "out" / "ct.nii.gz").read_text() == "mine"


def test_a_result_of_version_0_1_0_is_replaced_whole(run: Run, tmp_path: Path) -> None:
    """It has no list of its files: all that it may have written is its own."""
    out = tmp_path / "out"
    out.mkdir()
    old = {"version": "0.1.0", "research_use_only": True, "volume_ml": 1.0, "input": {}}
    (out / "result.json").write_text(json.dumps(old))
    for name in ("lesion_mask.nii.gz", "ct.nii.gz", "report.html", "preview.png", "mine.txt"):
        (out / name).write_text("old")
    (out / ".writing-abc").mkdir()
    run(scans={"a": "9"})
    assert {p.name for p in out.iterdir()} == ONE | {"mine.txt"}


def test_everybody_has_a_row_from_the_start(run: Run, tmp_path: Path) -> None:
    scans = {"a": "9", "c": "bad", "d": "4"}
    outcomes = run(scans=scans, left_out=("b",))
    assert statuses(tmp_path / "out") == {"a": "ok", "b": "failed", "c": "failed", "d": "ok"}
    assert list(statuses(tmp_path / "out")) == ["a", "b", "c", "d"]
    assert "damaged" in outcomes["b"].error
    assert "b" not in seen(tmp_path / "out")


def test_a_study_beside_a_usable_one_has_a_row_and_is_no_failure(run: Run, tmp_path: Path) -> None:
    outcomes = run(scans={"a": "9", "c": "4"}, beside=("b",))
    assert statuses(tmp_path / "out") == {"a": "ok", "b": "left out", "c": "ok"}
    assert set(outcomes) == {"a", "c"} and not any(o.exception for o in outcomes.values())


def test_one_that_can_be_read_among_two_has_its_own_folder(run: Run, tmp_path: Path) -> None:
    outcomes = run(scans={"a": "9"}, left_out=("b",))
    assert set(outcomes) == {"a", "b"} and voxels(tmp_path / "out" / "a") == 9
    assert statuses(tmp_path / "out") == {"a": "ok", "b": "failed"}


def test_a_patient_who_cannot_be_read_any_more_has_no_older_result(
    run: Run, tmp_path: Path
) -> None:
    run(scans={"a": "9", "b": "4"})
    run(scans={"a": "9"}, left_out=("b",))
    assert not seen(tmp_path / "out" / "b")
    assert statuses(tmp_path / "out") == {"a": "ok", "b": "failed"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stopped_folder_goes_on_and_says_meanwhile_who_is_missing(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    segmented_cases: list[str],
    stop: type[BaseException],
) -> None:
    scans = {"a": "9", "b": "4", "c": "2"}
    run("whole", scans=scans)
    segmented_cases.clear()
    segment = case.segment_ct

    def stopping(volume: Any, *arguments: Any, **options: Any) -> Any:
        if volume.source.path.name == "b":
            raise stop
        return segment(volume, *arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(stop):
        patch.setattr(case, "segment_ct", stopping)
        run(scans=scans)
    assert statuses(tmp_path / "out") == {"a": "ok", "b": "unfinished", "c": "unfinished"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a", "summary.csv"}
    run(scans=scans)
    assert segmented_cases == ["a", "b", "c"]
    for path in (tmp_path / "whole").rglob("*.*"):
        there = tmp_path / "out" / path.relative_to(tmp_path / "whole")
        if path.name == "result.json":
            ours, theirs = ({**json.loads(p.read_text()), "seconds": 0} for p in (path, there))
            assert ours == theirs
        else:
            assert path.read_bytes() == there.read_bytes()


@pytest.mark.parametrize("several", [False, True])
def test_two_runs_in_one_folder_are_told_of_each_other(
    run: Run, tmp_path: Path, several: bool
) -> None:
    """One that writes the whole, and one that writes into one patient's folder."""
    scans = {"a": "9", "b": "4"} if several else {"a": "9"}
    with sole(tmp_path / "out", "segment"), pytest.raises(UsageError, match="writing there"):
        run(scans=scans)
    if several:
        with sole(tmp_path / "out" / "a", "segment"):
            outcomes = run(scans=scans)
        assert "writing there" in outcomes["a"].error and outcomes["b"].error == ""
    assert run(scans=scans)["a"].error == ""


@pytest.mark.parametrize(
    "error",
    [
        KeyError("Rows"),
        TypeError("no number"),
        OverflowError("cannot convert float infinity"),
        RecursionError("maximum recursion depth"),
        MemoryError(),
        RuntimeError("CUDA out of memory"),
        UnicodeEncodeError("utf-8", "\udcfc", 0, 1, "surrogates not allowed"),
        OSError(errno.EIO, "Input/output error"),
        AssertionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_wrong_with_one_patient_the_others_go_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    load = case.load_case

    def failing(found: Any, series: str | None) -> Any:
        if found.name == "b":
            raise error
        return load(found, series)

    monkeypatch.setattr(case, "load_case", failing)
    outcomes = run(scans={"a": "9", "b": "4", "c": "2"})
    assert statuses(tmp_path / "out") == {"a": "ok", "b": "failed", "c": "ok"}
    assert type(error).__name__ in outcomes["b"].error


BROKEN = [
    OSError(errno.ENOSPC, "No space left on device", "/secret/place"),
    OSError(errno.EROFS, "Read-only file system"),
    UsageError("x: cannot be written"),
    SafetensorError("I/O error: No space left on device (os error 28)"),
    RuntimeError("cannot open font"),
    ValueError("no picture"),
    ImportError("matplotlib"),
    RecursionError(),
]
PICTURES = {
    "write_preview": "preview.png",
    "render_key_slice": "the report's figure",
    "write_report": "report.html",
    "write_viewer": "viewer.html",
}
HOMES = {"write_report": "strokediff.report.html", "write_viewer": "strokediff.viewer.page"}
"""Of what is not in `strokediff.report.figures`."""


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("part", PICTURES)
def test_a_picture_that_fails_costs_a_warning(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception
) -> None:
    def preview(path: Path, *arguments: Any, **options: Any) -> bytes:
        path.write_bytes(b"png")
        return b"png"

    figures = "strokediff.report.figures"
    monkeypatch.setattr(f"{figures}.write_preview", preview)
    monkeypatch.setattr(f"{figures}.render_key_slice", lambda *a, **o: b"png")

    def fail(path: Any, *arguments: Any, **options: Any) -> bytes:
        if isinstance(path, Path):
            path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(f"{HOMES.get(part, figures)}.{part}", fail)
    outcome = run(scans={"a": "9"}, pictures=True)["a"]
    out = tmp_path / "out"
    assert outcome.error == "" and voxels(out) == 9
    (warning,) = json.loads((out / "result.json").read_text())["warnings"]
    assert warning.startswith(f"{PICTURES[part]} could not be made (")
    assert "/secret" not in warning
    expected = ONE | {"preview.png", "report.html", "viewer.html"}
    assert seen(out) == expected - {PICTURES[part]}
    if "report.html" in seen(out):
        text = (out / "report.html").read_text()
        assert "could not be made" in text
        assert ("viewer.html, beside this page" in text) == ("viewer.html" in seen(out))


@pytest.mark.parametrize("several", [False, True])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    """The mask cannot be had, so the run ends; what was there does not count as its own."""
    other = {"b": "4"} if several else {}
    run(scans={"a": "9", **other})
    save = outputs.save_like

    def full(volume: Any, array: Any, path: Path, **options: Any) -> Path:
        if path.name == "lesion_prob.nii.gz":
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(volume, array, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "save_like", full)
        with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\)"):
            run(scans={"a": "8", **other})
    place = tmp_path / "out" / "a" if several else tmp_path / "out"
    assert {p.name for p in place.iterdir()} == {ASIDE}
    if several:
        assert statuses(tmp_path / "out") == {"a": "failed", "b": "unfinished"}
    run(scans={"a": "8", **other})
    assert voxels(place) == 8 and not (place / ASIDE).exists()


def test_pictures_make_room_for_the_result(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They took what was left of the disk, and result.json cannot be written."""
    out = tmp_path / "out"

    def pictures(folder: Path, *arguments: Any, **wanted: bool) -> list[str]:
        (folder / "preview.png").write_bytes(b"png")
        return []

    def write(path: Path, content: Any) -> None:
        if list(out.glob(".writing-*/preview.png")):
            raise UsageError(f"{path}: cannot be written (No space left on device)")
        path.write_text(json.dumps(content))

    monkeypatch.setattr(files, "write_pages", pictures)
    monkeypatch.setattr("strokediff.segmentation.folder.write_json", write)
    outcome = run(scans={"a": "9"}, pictures=True)["a"]
    assert seen(out) == ONE and voxels(out) == 9
    assert "preview.png could not be made" in outcome.record.warnings[0]


@pytest.mark.parametrize("name", ["../elsewhere", "..", "/", ".", "", "a/../../elsewhere"])
def test_a_summary_leads_nowhere_else(run: Run, tmp_path: Path, name: str) -> None:
    """Names in an earlier run's table are not trusted."""
    run("elsewhere", scans={"a": "9"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.csv").write_text(f"case,volume_ml,\n{name},1\n")
    run(scans={"a": "9", "b": "2"})
    assert voxels(tmp_path / "elsewhere") == 9
