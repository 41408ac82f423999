"""Laws: validation patients come with all their scans, so that none of them serves two purposes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strokediff.errors import InputError, UsageError
from strokediff.segmentation.calibrate.checkpoint import UNSEEN, patients_of

NAMES = ("a_1", "a_2", "b_1", "c_1", "c_2")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
        for name in NAMES:
            (folder / part / f"{name}.nii.gz").touch()
    people = {name: {"patient": name[0]} for name in NAMES}
    (folder / "cohort.json").write_text(json.dumps({"description": "made", "patients": people}))
    return folder


def checkpoint(folder: Path, *names: str) -> Path:
    folder.mkdir()
    (folder / "split.json").write_text(json.dumps({"train": [], "val": names, "test": []}))
    return folder


def test_the_scans_of_a_patient_stay_together(scans: Path, tmp_path: Path) -> None:
    found = patients_of(checkpoint(tmp_path / "model", *NAMES), scans).values()
    assert [[scan.name for scan in own] for own in found] == [
        ["a_1", "a_2"],
        ["b_1"],
        ["c_1", "c_2"],
    ]


def test_scans_that_were_not_validated_on_are_left_out(scans: Path, tmp_path: Path) -> None:
    found = patients_of(checkpoint(tmp_path / "model", "a_2", "b_1"), scans).values()
    assert [[scan.name for scan in own] for own in found] == [["a_2"], ["b_1"]]


def test_all_scans_of_a_folder_are_asked_where_none_was_seen(scans: Path, tmp_path: Path) -> None:
    found = patients_of(checkpoint(tmp_path / "model", "b_1"), scans, UNSEEN)
    assert {who: [s.name for s in own] for who, own in found.items()} == {
        "a_1": ["a_1", "a_2"],
        "b_1": ["b_1"],
        "c_1": ["c_1", "c_2"],
    }


def test_missing_scans_and_a_model_without_validation_are_refused(
    scans: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"1 of 2 validation scans .* \(d_1\)"):
        patients_of(checkpoint(tmp_path / "model", "a_1", "d_1"), scans)
    with pytest.raises(UsageError, match="trained without validation patients"):
        patients_of(checkpoint(tmp_path / "none"), scans)
