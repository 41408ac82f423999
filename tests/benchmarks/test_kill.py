"""Law: what `benchmarks/kill.py` calls torn is a file of neither run, or of both in one folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def on_the_path():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def result(folder: Path, patient: str, seconds: float = 1.0) -> dict[str, str]:
    from kill import content_of

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mask").write_text(patient)
    (folder / "result.json").write_text(json.dumps({"case": patient, "seconds": seconds}))
    return content_of(folder.parent)


def test_old_whole_and_new_whole_are_sound_whatever_their_times(tmp_path):
    from kill import torn_files

    old, new = result(tmp_path / "a" / "p", "A"), result(tmp_path / "b" / "p", "B")
    for whole, patient in (("c", "A"), ("d", "B")):
        result(tmp_path / whole / "p", patient, seconds=9.0)
        assert torn_files(tmp_path / whole, old, new) == []


@pytest.mark.parametrize(
    "bend",
    [
        lambda p: (p / "mask").write_text("B"),
        lambda p: (p / "mask").write_text("neither"),
        lambda p: (p / "mask").unlink(),
        lambda p: (p / "result.json").write_text('{"case": "A", "sec'),
    ],
)
def test_mixed_foreign_missing_and_half_files_are_torn(tmp_path, bend):
    from kill import torn_files

    old, new = result(tmp_path / "a" / "p", "A"), result(tmp_path / "b" / "p", "B")
    bend(tmp_path / "a" / "p")
    assert torn_files(tmp_path / "a", old, new)
