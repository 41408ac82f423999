"""Laws of the loop, with workers that do as they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")
from strokediff.receiver.arrivals import Arrivals
from strokediff.receiver.disk import Disk
from strokediff.receiver.listing import ask_again, rows
from strokediff.receiver.service import Loop
from strokediff.receiver.settings import Settings
from strokediff.receiver.spool import Spool
from strokediff.receiver.study import State, key_of
from strokediff.receiver.work import Verdict
from strokediff.receiver.worker import LostError

FOUND = Verdict(found=("infarct 3.0 mL",), notes=("a note",))


class Puppet:
    """A worker whose verdict a test says."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.says: Verdict | LostError | None = None
        self.spent, self.restarts = 0.0, 0
        self.began: list[str] = []

    def start(self, key: str, source: Path, out: Path) -> None:
        assert source.is_dir() and out.name == key
        self.key = key
        self.began.append(key)

    def verdict(self) -> Verdict | None:
        if isinstance(self.says, LostError):
            raise self.says
        if self.says is not None:
            self.key = None
        return self.says

    def seconds(self) -> float:
        return self.spent

    def restart(self) -> None:
        self.key, self.restarts = None, self.restarts + 1

    def stop(self) -> None:
        self.key = None


class Scene:
    def __init__(self, root: Path, workers: int = 1) -> None:
        self.now, self.told = 0.0, list[str]()
        self.spool = Spool(root)
        self.spool.create()
        settings = Settings()
        disk = Disk(self.spool, settings.limits)
        self.arrivals = Arrivals(self.spool, disk, settings, lambda: self.now)
        self.workers = [Puppet() for _ in range(workers)]
        self.loop = Loop(self.spool, self.arrivals, self.workers, 60, self.told.append)

    def arrives(self, *studies: str) -> None:
        for study in studies:
            self.arrivals.add(study, f"{study}.1", "A", [b"x"])
        self.now += 10
        self.loop.turn()

    def at(self, study: str) -> list[State]:
        return [state for state in State if self.spool.has(state, key_of(study))]

    def reason(self, study: str) -> str:
        return self.spool.folder(State.FAILED, key_of(study)).record().reason


def test_a_worker_has_one_study_at_a_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path, workers=2)
    scene.arrives("1", "2", "3")
    assert len(scene.spool.keys(State.WORKING)) == 2 and not scene.loop.idle
    scene.workers[0].says = FOUND
    scene.loop.turn()
    assert len(scene.spool.keys(State.SENDING)) == 1
    assert len(scene.spool.keys(State.WORKING)) == 2
    assert sorted(scene.workers[0].began + scene.workers[1].began) == sorted(
        map(key_of, ("1", "2", "3"))
    )


def test_a_study_without_a_head_has_failed_with_its_reason(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.arrives("1")
    scene.workers[0].says = Verdict(failed=("no axial series",), notes=("a note",))
    scene.loop.turn()
    assert scene.at("1") == [State.FAILED] and scene.reason("1") == "no axial series"
    assert scene.loop.idle
    (row,) = rows(tmp_path)
    assert (row.state, row.told, row.notes) == (State.FAILED, "no axial series", ("a note",))


def test_of_two_patients_in_a_study_the_one_that_failed_is_said(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.arrives("1")
    scene.workers[0].says = Verdict(found=("3 mL",), failed=("no head",))
    scene.loop.turn()
    assert scene.at("1") == [State.SENDING]
    record = scene.spool.folder(State.SENDING, key_of("1")).record()
    assert record.notes == ("failed: no head",)


def test_a_lost_worker_is_replaced_and_its_study_tried_once_more(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.arrives("1")
    scene.workers[0].says = LostError("the worker ended (signal 9)")
    scene.loop.turn()
    assert scene.workers[0].restarts == 1 and scene.at("1") == [State.WORKING]
    scene.loop.turn()
    assert scene.at("1") == [State.FAILED]
    assert scene.reason("1") == "the worker ended (signal 9); tried 2 times"
    ask_again(tmp_path, [key_of("1")[:8]])
    scene.workers[0].says = None
    scene.loop.turn()
    assert scene.at("1") == [State.WORKING]
    scene.workers[0].says = LostError("again")
    scene.loop.turn()
    assert scene.at("1") == [State.WORKING]  # counted anew


def test_a_study_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.arrives("1", "2")
    scene.workers[0].spent = 61
    first = scene.workers[0].key
    scene.loop.turn()
    assert scene.workers[0].restarts == 1
    assert scene.spool.keys(State.FAILED) == [first]
    assert scene.workers[0].key not in (None, first)


def test_a_verdict_that_cannot_be_written_is_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path)
    scene.arrives("1")
    scene.workers[0].says = FOUND

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(scene.spool, "advance", full)
        scene.loop.turn()
    assert scene.at("1") == [State.WORKING]
    scene.loop.turn()
    scene.loop.turn()
    assert scene.at("1") == [State.SENDING]


def test_who_asks_for_nothing_that_failed_is_told(tmp_path: Path) -> None:
    from strokediff.errors import UsageError

    scene = Scene(tmp_path)
    with pytest.raises(UsageError, match="no failed study. 0 have failed"):
        ask_again(tmp_path, [])
    scene.arrives("1")
    scene.workers[0].says = Verdict(failed=("why",))
    scene.loop.turn()
    with pytest.raises(UsageError, match="no failed study ffff. 1 have failed"):
        ask_again(tmp_path, ["ffff"])
