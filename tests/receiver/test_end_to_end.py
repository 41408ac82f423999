"""Laws: from a scanner to an archive, each study's objects once, whatever is killed in between."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from receiving import Archive, Listener, associated, head_series, send, until

from strokediff.receiver.listing import rows
from strokediff.receiver.study import State

pytestmark = pytest.mark.slow
Begin = Callable[..., Listener]


def to(archive: Archive) -> tuple[str, str]:
    return "--send", f"ARCHIVE@127.0.0.1:{archive.port}"


def states(store: Path) -> list[State]:
    return sorted(row.state for row in rows(store))


def test_from_scanner_to_archive(listener: Begin, archive: Archive, tmp_path: Path) -> None:
    """A head, a head with contrast, one of two slices, and one whose study has a localizer too."""
    one = listener(*to(archive))
    assert send(one.port, head_series("a")) == [0] * 16
    localizer = head_series("b", slices=1, series="b-scout", description="Topogram")
    localizer[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    send(one.port, [*head_series("b", seed=1), *localizer])
    send(one.port, head_series("c", ContrastBolusAgent="Iodine 300"))
    send(one.port, head_series("d", slices=2))
    store = tmp_path / "store"
    until(lambda: states(store) == ["done", "done", "failed", "failed"], "all are through")
    assert sorted(archive.classes()) == ["SEG", "SEG", "SR", "SR"]
    assert {x.PatientID for x in archive.got} == {"a", "b"}
    assert all(row.told for row in rows(store) if row.state is State.FAILED)
    assert all(one.StudyInstanceUID for one in archive.got)
    assert one.stop() == 143 and "Traceback" not in one.told
    assert "Research use only" in one.told


def test_an_image_that_comes_after_is_said_and_the_study_done_anew(
    listener: Begin, archive: Archive, tmp_path: Path
) -> None:
    one, store = listener(*to(archive)), tmp_path / "store"
    images = head_series("a")
    send(one.port, images[:-1])
    until(lambda: states(store) == ["done"], "it is done")
    send(one.port, images)
    until(lambda: len(archive.got) == 4 and states(store) == ["done"], "it is done anew")
    assert len(archive.unique()) == 4
    (row,) = rows(store)
    assert "1 images came after it was done, so it was done anew" in row.notes
    send(one.port, images)  # the same again is nothing new
    until(lambda: states(store) == ["done"], "nothing is done")
    assert one.stop(signal.SIGINT) == 130 and len(archive.got) == 4


def test_kills_at_every_stage(listener: Begin, archive: Archive, tmp_path: Path) -> None:
    """Between two images, while it works, while it sends: the objects are there once."""
    store, images = tmp_path / "store", head_series("a")
    one = listener(*to(archive))
    link = associated(one.port)
    assert [link.send_c_store(image).Status for image in images[:8]] == [0] * 8
    one.kill()
    one = listener(*to(archive))
    send(one.port, images[8:])
    until(lambda: states(store) == ["working"], "it works")
    one.kill()
    archive.status = 0xA700
    one = listener(*to(archive))
    until(lambda: "waits; ARCHIVE" in one.told, "it waits for the archive")
    one.kill()
    archive.status = 0
    one = listener(*to(archive))
    until(lambda: states(store) == ["done"], "it is done")
    assert len(archive.unique()) == 2 and sorted(archive.classes()) == ["SEG", "SR"]
    (row,) = rows(store)
    assert row.images == 16


def test_another_listener_is_refused_and_a_taken_port_said(
    listener: Begin, model: Path, tmp_path: Path
) -> None:
    one = listener()
    with pytest.raises(AssertionError, match=r"another run is writing there.*strokediff listen"):
        Listener(tmp_path / "store", one.port + 1, model)
    with pytest.raises(AssertionError, match="cannot listen on 127.0.0.1"):
        Listener(tmp_path / "elsewhere", one.port, model)


def test_idle_it_ends_of_itself(listener: Begin, tmp_path: Path) -> None:
    one = listener("--idle-exit", 3)
    send(one.port, head_series("a"))
    assert one.process.wait(60) == 0
    assert states(tmp_path / "store") == ["done"]
    assert len(list((tmp_path / "store" / "results").glob("*/lesion_sr.dcm"))) == 1
