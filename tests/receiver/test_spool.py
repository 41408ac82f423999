"""Laws: a kill at any moment loses no image that was answered, and leaves no study twice."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynetdicom")
from strokediff.errors import UsageError
from strokediff.receiver.arrivals import Arrivals, Kept
from strokediff.receiver.disk import Disk
from strokediff.receiver.listing import ask_again
from strokediff.receiver.settings import Settings
from strokediff.receiver.spool import Spool, open_spool
from strokediff.receiver.study import State, StudyFolder, StudyRecord, key_of

KEY = key_of("1.2")
IMAGES = {f"1.2.{n}": f"image {n}".encode() * 9 for n in range(4)}


class Killed(BaseException):
    """The process is no more."""


class Death:
    """Every change of the disk after the first `steps` fails, as of a process that was killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for owner, name in (
            (Path, "rename"),
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (Path, "write_bytes"),
            (os, "rename"),
            (shutil, "rmtree"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if self.left is not None:
                if self.left == 0:
                    raise Killed
                self.left -= 1
            return real(*arguments, **named)

        return call


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def life(root: Path, answered: set[str], *, fails: bool) -> None:
    """All that befalls a study: three images, a result, one more, another result; from any start.

    The sender sends again what it has no answer to, or everything; both are the same.
    """
    time = Time()
    spool = Spool(root)
    spool.create()
    spool.recover()
    settings = Settings()
    arrivals = Arrivals(spool, Disk(spool, settings.limits), settings, time)
    for uids in (list(IMAGES)[:3], list(IMAGES)):
        for uid in uids:
            assert arrivals.add("1.2", uid, "SCANNER", [IMAGES[uid]]) is not Kept.OTHER
            answered.add(uid)
        time.now += settings.quiet_seconds
        arrivals.settle()
        while key := spool.claim():
            work(spool, key, fails=fails)
        for key in spool.keys(State.SENDING):
            spool.advance(key, State.SENDING, State.DONE)


def work(spool: Spool, key: str, *, fails: bool) -> None:
    """A study fails at first, is asked for again, and is done then."""
    if not fails or any(step.why == "asked for again" for step in steps(spool, key)):
        spool.advance(key, State.WORKING, State.SENDING)
        spool.advance(key, State.SENDING, State.DONE)
        return
    spool.advance(key, State.WORKING, State.FAILED, "why", reason="why")
    ask_again(spool.root, [])
    spool.wanted_again()


def steps(spool: Spool, key: str) -> tuple[Any, ...]:
    return spool.folder(State.WORKING, key).record().steps


def kept(root: Path) -> Counter[bytes]:
    return Counter(
        path.read_bytes() for path in root.rglob("*.dcm") if not path.name.startswith(".")
    )


@pytest.mark.parametrize("fails", [False, True])
def test_a_kill_at_any_change_of_the_disk(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # of a power cut, not of a kill
    death = Death(monkeypatch)
    kills = 0
    while True:
        root, answered = tmp_path / str(kills), set[str]()
        death.left = kills
        try:
            life(root, answered, fails=fails)
        except Killed:
            death.left = None
        else:
            break
        Spool(root).create()
        Spool(root).recover()
        there = kept(root)
        assert all(there[IMAGES[uid]] >= 1 for uid in answered), kills
        life(root, answered, fails=fails)
        assert kept(root) == Counter(IMAGES.values()), kills
        at = [state for state in State if (root / state / KEY).is_dir()]
        at += [state for state in State if fails and (root / state / KEY / "retry").exists()]
        assert at == [State.DONE], kills
        kills += 1
    assert kills > 50


def test_what_came_later_and_what_was_done_are_one_again(tmp_path: Path) -> None:
    life(tmp_path, set(), fails=False)
    record = Spool(tmp_path).folder(State.DONE, KEY).record()
    assert record.notes == ("1 images came after it was done, so it was done anew",)
    assert [step.state for step in record.steps] == 2 * [
        State.INCOMING,
        State.READY,
        State.WORKING,
        State.SENDING,
        State.DONE,
    ]


def test_a_study_that_is_sent_is_not_worked_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.create()
    for target in (State.SENDING, State.READY):
        spool.open(KEY, "1.2", "A")
        spool.advance(KEY, State.INCOMING, target)
    assert spool.claim() is None
    spool.advance(KEY, State.SENDING, State.DONE)
    assert spool.claim() == KEY


def test_the_longest_waiting_is_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.create()
    keys = [key_of(str(n)) for n in (3, 1, 2)]
    for age, key in enumerate(keys):
        spool.advance(spool.open(key, "x", "A").key, State.INCOMING, State.READY)
        os.utime(tmp_path / State.READY / key, (age, age))
    assert [spool.claim() for _ in range(4)] == [*keys, None]


def test_no_path_of_a_sender_becomes_ours(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = spool.folder(State.INCOMING, key_of("../../etc"))
    assert folder.image("../../../x").is_relative_to(tmp_path / State.INCOMING)
    assert len({key_of(text) for text in ("1.2", "1.2 ", "1.20", "../1.2")}) == 4


def test_a_damaged_record_costs_no_images(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.create()
    folder = spool.open(KEY, "1.2", "A")
    folder.image("1.2.3").write_bytes(b"x")
    (folder.path / "study.json").write_text('{"study_uid": ')
    spool.advance(KEY, State.INCOMING, State.READY)
    record = spool.folder(State.READY, KEY).record()
    assert "damaged" in record.notes[0] and record.steps[-1].state is State.READY
    assert len(spool.folder(State.READY, KEY).files()) == 1


def test_a_record_is_bounded(tmp_path: Path) -> None:
    record = StudyRecord()
    for n in range(250):
        record = record.stepped(State.READY, "", f"note {n}")
    assert len(record.steps) == len(record.notes) == 100 and record.notes[-1] == "note 249"
    StudyFolder(tmp_path).write(record)
    assert StudyFolder(tmp_path).record() == record


def test_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no store of 'strokediff listen'"):
        open_spool(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be written"):
        Spool(tmp_path / "file").create()
