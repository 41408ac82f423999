"""Laws with a real archive: Orthanc by C-STORE and by STOW-RS, also where it is killed between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from orthanc import BINARY, Orthanc
from receiving import Listener, head_series, send, until

from strokediff.receiver.listing import rows

pytestmark = pytest.mark.slow
Begin = Callable[..., Listener]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    assert BINARY, "no Orthanc: install it (.ci/run does)"
    made = Orthanc(tmp_path / "orthanc", {})
    made.start()
    yield made
    made.kill()


def by_store(archive: Orthanc) -> tuple[str, str]:
    return "--send", f"ORTHANC@127.0.0.1:{archive.dicom}"


def by_stow(archive: Orthanc) -> tuple[str, str]:
    return "--stow", f"{archive.url}/dicom-web"


def number(archive: Orthanc, modality: str) -> int:
    return len(archive.find("Instance", Modality=modality))


@pytest.mark.parametrize("way", [by_store, by_stow])
def test_it_is_killed_and_comes_back(
    way: Callable[[Orthanc], tuple[str, str]], listener: Begin, archive: Orthanc, tmp_path: Path
) -> None:
    one = listener(*way(archive))
    send(one.port, head_series("a"))
    until(lambda: number(archive, "SR") == 1, "the first is there")
    archive.kill()
    send(one.port, head_series("b", seed=1))
    until(lambda: "waits;" in one.told, "the second waits")
    one.kill()
    archive.start()
    one = listener(*way(archive))
    until(lambda: [row.state for row in rows(tmp_path / "store")] == ["done"] * 2, "both are done")
    assert number(archive, "SEG") == number(archive, "SR") == 2
    series = archive.get("/studies?expand")
    assert sorted(one["PatientMainDicomTags"]["PatientID"] for one in series) == ["a", "b"]


def test_through_it_and_back(listener: Begin, tmp_path: Path) -> None:
    """The archive sends to the listener, and has the results in the same study."""
    one = listener()
    one.stop()
    where = ("STROKEDIFF", "127.0.0.1", one.port)
    archive = Orthanc(tmp_path / "other", {"ai": where})
    archive.start()
    try:
        listener("--send", f"ORTHANC@127.0.0.1:{archive.dicom}", "--allow", "ORTHANC")
        send(archive.dicom, head_series("a"), called="ORTHANC")
        (study,) = archive.get("/studies")
        archive.post("/modalities/ai/store", study)
        until(lambda: number(archive, "SR") == 1, "the report is there")
        assert archive.get("/studies") == [study]
        assert len(archive.get(f"/studies/{study}/series")) == 3
    finally:
        archive.kill()
