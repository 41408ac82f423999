"""Laws: when a study is whole, what is too much, and what makes room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynetdicom")
from strokediff.receiver.arrivals import Arrivals, Kept
from strokediff.receiver.disk import Disk, NoRoomError
from strokediff.receiver.settings import GIB, Limits, Settings
from strokediff.receiver.spool import Spool
from strokediff.receiver.study import State, key_of


class Receiver:
    def __init__(self, root: Path, **limits: Any) -> None:
        self.now = 0.0
        self.spool = Spool(root)
        self.spool.create()
        self.settings = Settings(quiet_seconds=10, limits=Limits(**limits))
        disk = Disk(self.spool, self.settings.limits, lambda: self.now)
        self.arrivals = Arrivals(self.spool, disk, self.settings, lambda: self.now)

    def add(self, study: str, image: object, size: int = 10, fill: bytes = b"x") -> Kept:
        return self.arrivals.add(study, f"{study}.{image}", "A", [fill, fill * (size - 1)])

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        return self.arrivals.settle()

    def done(self, study: str) -> None:
        key = key_of(study)
        self.spool.advance(key, State.READY, State.WORKING)
        self.spool.advance(key, State.WORKING, State.DONE)


def test_a_study_is_whole_after_a_pause(tmp_path: Path) -> None:
    one = Receiver(tmp_path)
    one.add("1", 1)
    assert one.after(9) == []
    one.add("1", 2)
    assert one.after(9) == []
    assert one.after(1) == [f"{key_of('1')}: 2 images"]
    assert one.spool.keys(State.READY) == [key_of("1")]


def test_an_image_twice_is_one_and_another_of_its_uid_is_said(tmp_path: Path) -> None:
    one = Receiver(tmp_path)
    assert [one.add("1", 1), one.add("1", 1)] == [Kept.NEW, Kept.SAME]
    assert one.add("1", 1, fill=b"y") is Kept.OTHER
    assert one.add("1", 1, size=11) is Kept.OTHER
    (file,) = one.spool.folder(State.INCOMING, key_of("1")).files()
    assert file.read_bytes() == b"x" * 10


@pytest.mark.parametrize("state", [State.WORKING, State.SENDING, State.DONE, State.FAILED])
def test_an_image_that_is_there_begins_nothing(tmp_path: Path, state: State) -> None:
    one, key = Receiver(tmp_path), key_of("1")
    one.add("1", 1)
    one.after(10)
    one.spool.advance(key, State.READY, state)
    assert one.add("1", 1) is Kept.SAME
    assert one.after(10) == [] and not one.spool.has(State.INCOMING, key)
    assert one.add("1", 2) is Kept.NEW
    assert one.after(10) == [f"{key}: 1 images"] and one.spool.has(state, key)


def test_a_ready_study_waits_for_its_rest(tmp_path: Path) -> None:
    one, key = Receiver(tmp_path), key_of("1")
    one.add("1", 1)
    one.after(10)
    one.add("1", 2)
    assert one.spool.keys(State.READY) == [] and one.after(9) == []
    assert one.after(1) == [f"{key}: 2 images"]


def test_a_study_without_end_is_cut_off_and_its_rest_is_not_lost(tmp_path: Path) -> None:
    one, key = Receiver(tmp_path, arriving_seconds=30), key_of("1")
    told = []
    for n in range(7):
        one.add("1", n)
        told += one.after(5)
    assert told == [
        f"{key}: 6 images; cut off after 30 s, as images still came; the rest is done anew"
    ]
    assert len(one.spool.folder(State.READY, key).files()) == 7  # still cut: it does not wait
    assert one.spool.claim() == key
    one.add("1", 8)
    assert one.after(10) == [f"{key}: 1 images"]


def test_a_study_has_a_limit_that_is_said(tmp_path: Path) -> None:
    one, key = Receiver(tmp_path, study_images=2), key_of("1")
    one.add("1", 1)
    one.add("1", 2)
    for _ in range(2):
        with pytest.raises(NoRoomError, match="more than 2 images"):
            one.add("1", 3)
    assert one.add("2", 1) is Kept.NEW
    told = one.after(10)
    assert f"{key}: 2 images; 2 images were refused: a limit was reached" in told
    assert one.spool.folder(State.READY, key).record().notes == (
        "2 images were refused: a limit was reached",
    )
    small = Receiver(tmp_path / "small", study_gb=100 / GIB)
    small.add("1", 1, 60)
    with pytest.raises(NoRoomError, match="a study of more than"):
        small.add("1", 2, 60)


def test_after_a_restart_a_study_has_its_pause_again(tmp_path: Path) -> None:
    Receiver(tmp_path, study_images=2).add("1", 1)
    again = Receiver(tmp_path, study_images=2)
    assert again.after(9) == []
    again.add("1", 2)
    with pytest.raises(NoRoomError):
        again.add("1", 3)
    assert len(again.after(10)) == 1


def test_done_studies_make_room_the_oldest_first(tmp_path: Path) -> None:
    one = Receiver(tmp_path, disk_gb=15_000 / GIB)
    for study in ("1", "2"):
        one.add(study, 1, 6000)
        one.after(10)
        one.done(study)
    one.add("3", 1, 6000)
    folders = [one.spool.folder(State.DONE, key_of(study)) for study in ("1", "2")]
    assert [len(folder.files()) for folder in folders] == [0, 1]
    assert [folder.record().images_removed for folder in folders] == [True, False]
    one.after(10)
    with pytest.raises(NoRoomError, match="Remove old folders of results/ and failed/"):
        one.add("4", 1, 15_000)
    assert len(one.spool.folder(State.READY, key_of("3")).files()) == 1
    one.add("1", 2, 10)
    one.after(10)
    one.spool.claim()
    assert one.spool.claim() == key_of("1")
    notes = one.spool.folder(State.WORKING, key_of("1")).record().notes
    assert any("send the whole study again" in note for note in notes)


def test_results_count(tmp_path: Path) -> None:
    one = Receiver(tmp_path, disk_gb=20_000 / GIB)
    result = one.spool.results(key_of("1"))
    result.mkdir()
    (result / "mask").write_bytes(bytes(19_500))
    one.add("1", 1, 1000)
    one.arrivals.disk.count_results(key_of("1"))
    with pytest.raises(NoRoomError):
        one.add("1", 2, 1000)
    again = Disk(one.spool, one.settings.limits)
    assert again.used == pytest.approx(one.arrivals.disk.used, abs=1000)
    (result / "mask").unlink()  # by hand; it is seen after a while
    with pytest.raises(NoRoomError):
        one.add("1", 2, 1000)
    one.now += 30
    assert one.add("1", 2, 1000) is Kept.NEW


def test_a_full_disk_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Receiver(tmp_path)
    monkeypatch.setattr("strokediff.receiver.disk.free_bytes", lambda folder: 2**20)
    with pytest.raises(NoRoomError, match="is full"):
        one.add("1", 1)
    monkeypatch.undo()

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    used = one.arrivals.disk.used
    monkeypatch.setattr("strokediff.receiver.arrivals.write_bytes", full)
    with pytest.raises(NoRoomError, match="No space left"):
        one.add("1", 1)
    assert one.arrivals.disk.used == used
