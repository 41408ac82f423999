"""Laws: headers are read once, pixels only of what was chosen; what has changed is judged anew."""

import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from dicom_factory import head, uid, write_series

from strokediff.ct.discovery.discover import discover, load_case
from strokediff.errors import InputError


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many files were parsed, by the module that asked."""
    from strokediff.ct.dicom import headers, pixels

    counts: Counter[str] = Counter()
    for module in (headers, pixels):
        name, own = module.__name__.rpartition(".")[2], module.read_dataset

        def counted(*args: object, _own=own, _name=name, **named: object) -> object:
            counts[_name] += 1
            return _own(*args, **named)

        monkeypatch.setattr(module, "read_dataset", counted)
    return counts


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """20 slices to choose, and 50 others and a scout to leave."""
    write_series(tmp_path / "in" / "5mm")
    write_series(tmp_path / "in" / "thin", series="thin", hu=head(50), z=2.0 * np.arange(50))
    write_series(tmp_path / "in" / "scout", series="scout", hu=head(1))
    return tmp_path / "in"


def test_each_header_is_read_once_and_the_chosen_pixels(patient: Path, reads: Counter[str]) -> None:
    (case,) = discover(patient).cases
    assert reads == {"headers": 71}
    assert load_case(case).source.details["series_uid"] == uid("ncct")
    assert reads == {"headers": 71, "pixels": 20}


def test_of_an_archive_too(tmp_path: Path, patient: Path, reads: Counter[str]) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        for path in sorted(patient.rglob("*.dcm")):
            packed.write(path, path.relative_to(patient))
    (case,) = discover(tmp_path / "p.zip").cases
    assert load_case(case).hu.shape[2] == 20
    assert reads == {"headers": 71, "pixels": 20}


def test_a_series_named_to_discover_is_the_one_that_is_read(
    patient: Path, reads: Counter[str]
) -> None:
    (case,) = discover(patient, uid("thin")).cases
    assert load_case(case).source.details["series_uid"] == uid("thin")
    assert load_case(case, uid("thin")).hu.shape[2] == 50
    assert reads == {"headers": 71, "pixels": 100}


def test_another_series_is_judged_anew(patient: Path, reads: Counter[str]) -> None:
    (case,) = discover(patient).cases
    assert load_case(case, uid("thin")).hu.shape[2] == 50
    assert reads == {"headers": 142, "pixels": 50}


def test_what_is_refused_is_refused_without_reading_again(
    tmp_path: Path, reads: Counter[str]
) -> None:
    write_series(tmp_path / "in")[3].unlink()
    (case,) = discover(tmp_path / "in").cases
    with pytest.raises(InputError, match="slices are missing"):
        load_case(case)
    assert reads == {"headers": 19}


def test_a_file_that_changed_is_judged_anew(patient: Path, reads: Counter[str]) -> None:
    (case,) = discover(patient).cases
    first = min((patient / "5mm").iterdir())
    os.utime(first, ns=(1, 1))
    assert load_case(case).hu.shape[2] == 20
    assert reads == {"headers": 142, "pixels": 20}


def test_a_file_that_is_gone_is_told(patient: Path) -> None:
    (case,) = discover(patient).cases
    sorted((patient / "5mm").iterdir())[0].unlink()
    volume = load_case(case)
    assert any("empty or damaged" in warning for warning in volume.warnings)
    assert volume.source.details["series_uid"] == uid("ncct")
    assert volume.hu.shape[2] == 19
