"""Laws: results are sent until they are there, in any weather; what is refused has its reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from receiving import until

pytest.importorskip("pynetdicom")
from strokediff.receiver import dispatch
from strokediff.receiver.dispatch import Dispatcher
from strokediff.receiver.senders import RejectedError, UnreachableError
from strokediff.receiver.settings import Limits
from strokediff.receiver.spool import Spool
from strokediff.receiver.study import State, key_of

KEYS = [key_of(str(n)) for n in range(3)]


class Weather:
    """A destination that answers by study as it is told."""

    name = "ARCHIVE"

    def __init__(self) -> None:
        self.raises: dict[str, Exception] = {}
        self.sent: list[str] = []

    def send(self, objects: Sequence[Path]) -> None:
        key = objects[0].parent.name
        if key in self.raises:
            raise self.raises[key]
        self.sent.append(key)


class Scene:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, hours: float = 72) -> None:
        self.spool, self.weather, self.told = Spool(root), Weather(), list[str]()
        self.spool.create()
        for key in KEYS:
            self.spool.open(key, "1.2", "A")
            self.spool.advance(key, State.INCOMING, State.SENDING)
        monkeypatch.setattr(dispatch, "objects_of", lambda folder: [folder / "lesion_seg.dcm"])
        limits = Limits(sending_hours=hours)
        self.dispatcher = Dispatcher(self.spool, self.weather, limits, self.told.append)

    def reason(self, state: State, key: str) -> str:
        return self.spool.folder(state, key).record().reason


def test_all_are_sent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch)
    scene.dispatcher.round()
    scene.dispatcher.round()
    assert sorted(scene.weather.sent) == sorted(KEYS) == sorted(scene.spool.keys(State.DONE))
    assert f"{KEYS[0]}: seg sent to ARCHIVE" in scene.told


def test_while_it_is_down_all_wait_longer_and_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, monkeypatch)
    scene.weather.raises = {key: UnreachableError("does not answer") for key in KEYS}
    waits = [scene.dispatcher.round() for _ in range(10)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert len(scene.spool.keys(State.SENDING)) == 3
    assert scene.reason(State.SENDING, KEYS[0]) == "ARCHIVE cannot be reached: does not answer"
    scene.weather.raises = {}
    scene.dispatcher.round()
    assert len(scene.spool.keys(State.DONE)) == 3 and not scene.reason(State.DONE, KEYS[0])


def test_one_that_always_fails_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, monkeypatch)
    first = scene.spool.keys(State.SENDING)[0]
    scene.weather.raises = {first: UnreachableError("out of resources")}
    for _ in range(2):
        scene.dispatcher.round()
    assert scene.spool.keys(State.SENDING) == [first]
    assert len(scene.weather.sent) == 2


def test_what_is_refused_has_failed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, monkeypatch)
    scene.weather.raises = {KEYS[1]: RejectedError("lesion_sr.dcm: 0x0122")}
    scene.dispatcher.round()
    assert scene.spool.keys(State.FAILED) == [KEYS[1]]
    wanted = "ARCHIVE does not take it: lesion_sr.dcm: 0x0122"
    assert scene.reason(State.FAILED, KEYS[1]) == wanted


def test_after_the_limit_it_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch, hours=1)
    path = scene.spool.folder(State.SENDING, KEYS[0]).path / "study.json"
    content = json.loads(path.read_text())
    content["steps"][-1]["at"] = "2026-01-01T00:00:00Z"
    path.write_text(json.dumps(content))
    scene.weather.raises = {key: UnreachableError("down") for key in KEYS}
    for _ in range(4):
        scene.dispatcher.round()
    assert scene.spool.keys(State.FAILED) == [KEYS[0]]
    assert scene.reason(State.FAILED, KEYS[0]).endswith("down; tried for 1 hours")


def test_a_result_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch)
    monkeypatch.undo()
    scene.dispatcher.round()
    assert sorted(scene.spool.keys(State.FAILED)) == sorted(KEYS)
    assert "not there any more" in scene.reason(State.FAILED, KEYS[2])


def test_a_result_without_objects_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a segmentation was asked for, and there is no lesion."""
    scene = Scene(tmp_path, monkeypatch)
    monkeypatch.setattr(dispatch, "objects_of", lambda folder: [])
    scene.dispatcher.round()
    assert len(scene.spool.keys(State.DONE)) == 3 and not scene.weather.sent
    assert f"{KEYS[0]}: nothing sent to ARCHIVE" in scene.told


def test_its_thread_survives_a_bug_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, monkeypatch)
    scene.weather.raises = {key: KeyError("bug") for key in KEYS}
    scene.dispatcher.start()
    until(lambda: "sending: 'bug'" in scene.told, "it is said")
    scene.dispatcher.stop()
    assert len(scene.spool.keys(State.SENDING)) == 3
