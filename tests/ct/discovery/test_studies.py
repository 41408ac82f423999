"""Laws: IDs that are shared keep nobody from being a case; one patient's folders stay together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_factory import head, uid, write_enhanced, write_series

from strokediff.ct.discovery.discover import discover, load_case
from strokediff.errors import InputError

HU = head(6)
Z = 5.0 * np.arange(6)


def dicom(folder: Path, **attributes: Any) -> list[Path]:
    return write_series(folder, **({"hu": HU, "SeriesNumber": 2} | attributes))


def names(root: Path) -> list[str]:
    return [case.name for case in discover(root).cases]


@pytest.mark.parametrize("patient", ["ANON", "", "0", "patient", None])
def test_a_cohort_that_shares_a_patient_id(tmp_path: Path, patient: str | None) -> None:
    """Three folders, one with contrast alone: three rows, one of which fails."""
    for p, agent in (("p1", None), ("p2", "Iomeron"), ("p3", None)):
        dicom(tmp_path / p, PatientID=patient, study=p, series=p, ContrastBolusAgent=agent)
    one, two, three = discover(tmp_path).cases
    assert [c.name for c in (one, two, three)] == ["p1", "p2", "p3"]
    assert all(load_case(c).hu.shape[2] == 6 for c in (one, three))
    with pytest.raises(InputError, match="only contrast"):
        load_case(two)


@pytest.mark.parametrize("study", [uid("same"), ""])
@pytest.mark.parametrize("series", ["each", "same"])
@pytest.mark.parametrize("site", ["", "site"])
def test_a_cohort_that_shares_every_id(tmp_path: Path, study: str, series: str, site: str) -> None:
    """Patients of one protocol in folders: what a study or series can hold once is there twice."""
    for k, p in enumerate(("p1", "p2", "p3")):
        own = {"series": "one" if series == "same" else p, "StudyInstanceUID": study}
        paths = dicom(tmp_path / site / p, patient="ANON", hu=HU + k, z=Z + k, **own)
        assert len(paths) == 6
    assert names(tmp_path) == [f"{site}_{p}".strip("_") for p in ("p1", "p2", "p3")]
    values = [load_case(case).hu.max() for case in discover(tmp_path).cases]
    assert values == [900, 901, 902]


def test_one_study_in_two_folders_is_one_case(tmp_path: Path) -> None:
    """Two disks with parts of a series; two series; copies; and another patient beside them."""
    for k, path in enumerate(dicom(tmp_path / "DISC1", patient="a", study="a", series="a")):
        if k % 2:
            (tmp_path / "DISC2").mkdir(exist_ok=True)
            shutil.move(path, tmp_path / "DISC2" / path.name)
    dicom(tmp_path / "SE1", patient="b", study="b", series="b5")
    thin = {"series": "b2", "hu": head(15), "z": 2.0 * np.arange(15), "SeriesNumber": 3}
    dicom(tmp_path / "SE2", patient="b", study="b", description="Head 2.0", **thin)
    dicom(tmp_path / "c", patient="c", study="c", series="c")
    shutil.copytree(tmp_path / "c", tmp_path / "c - copy")
    dicom(tmp_path / "d", patient="d", study="d", series="d")
    cases = discover(tmp_path).cases
    assert sorted(len(case.files) for case in cases) == [6, 6, 12, 21]
    assert all(load_case(case).hu.shape[2] in (6, 15) for case in cases)


def test_one_series_under_two_patient_ids_is_one_case_with_a_warning(tmp_path: Path) -> None:
    """Two half-heads would be two wrong volumes."""
    for path, patient in zip(dicom(tmp_path / "p"), "aaabbb", strict=True):
        other = dicom(tmp_path / "other" / patient, patient=patient)[int(path.stem)]
        shutil.copy(other, path)
    shutil.rmtree(tmp_path / "other")
    (case,) = discover(tmp_path / "p").cases
    volume = load_case(case)
    assert volume.hu.shape[2] == 6 and any("2 PatientIDs" in w for w in volume.warnings)


def test_two_patients_in_one_folder_are_two_cases(tmp_path: Path) -> None:
    for p in ("a", "b"):
        dicom(tmp_path / "all", patient=p, study=p, series=p, prefix=p)
    dicom(tmp_path / "more", patient="c", study="c", series="c")
    assert names(tmp_path) == ["all", "all_2", "more"]
    assert [len(case.files) for case in discover(tmp_path).cases] == [6, 6, 6]


def test_time_points_of_one_patient_are_cases_of_their_own(tmp_path: Path) -> None:
    for p in ("p1", "p2"):
        for day in ("day1", "day2"):
            dicom(tmp_path / p / day, patient=p, study=p + day, series=p + day)
    assert names(tmp_path) == ["p1_day1", "p1_day2", "p2_day1", "p2_day2"]
    assert names(tmp_path / "p1") == ["day1", "day2"]


def test_passes_of_one_series_in_folders_stay_one_case(tmp_path: Path) -> None:
    for k in (1, 2):
        dicom(tmp_path / "p" / f"pass{k}", acquisition=k, numbers=range(6 * k, 6 * k + 6))
    dicom(tmp_path / "q", patient="q", study="q", series="q")
    assert names(tmp_path) == ["p", "q"]


def test_the_series_option_finds_one_of_those_that_share_ids(tmp_path: Path) -> None:
    for p in ("p1", "p2"):
        dicom(tmp_path / p, patient="ANON", series=p)
    found = discover(tmp_path, uid("p2"))
    (case,) = found.cases
    assert {f.parent.name for f in case.files} == {"p2"} and not found.left_out


def test_multi_frame_files_that_share_every_id_are_patients(tmp_path: Path) -> None:
    for k, p in enumerate(("p1", "p2")):
        write_enhanced(tmp_path / p / "ct.dcm", hu=HU + k, shuffle=False)
    assert names(tmp_path) == ["p1", "p2"]
