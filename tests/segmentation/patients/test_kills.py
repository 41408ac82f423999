"""Law: killed before any change of the disk, a run leaves old or new, whole, and goes on.

A hook of the interpreter sees every file that is opened to write, renamed or removed; from the
n-th on nothing more happens, as after a kill. That is tried for every n.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from strokediff.errors import StrokediffError
from strokediff.segmentation.folder import FILES, IMAGES, ResultFolder
from strokediff.util import leftovers

Run = Callable[..., Any]
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
ONE, OTHERS = {"a": "7"}, {"a": "11", "b": "5", "gone": "3"}
EARLIER = {
    "nothing": None,
    "another patient": {"scans": {"a": "9"}, "uncertainty": True},
    "other patients": {"scans": OTHERS, "kind": "dicom"},
    "a failure": {"scans": {"a": "bad"}},
}
NOW = {
    "one": {"scans": ONE},
    "several": {"scans": {"a": "7", "b": "bad", "c": "2"}, "left_out": ("gone",)},
}


class Killed(BaseException):
    """Nothing that is done on an error is done."""


class Switch:
    """The hook cannot be taken off, so it has a switch."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.seen = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.at is None or not (event in CHANGES or _opens_to_write(event, arguments)):
            return
        self.seen += 1
        if self.seen > self.at:
            raise Killed


def _opens_to_write(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


SWITCH = Switch()
sys.addaudithook(SWITCH)


@pytest.fixture(autouse=True)
def nobody_lives(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the killed run wrote is a dead process's to the next, which is this process too."""
    monkeypatch.setattr(leftovers, "is_dead", lambda path: True)
    yield
    SWITCH.at = None


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, without times."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        text = path.read_bytes().hex()
        if path.name == "result.json":
            text = json.dumps({**json.loads(path.read_text()), "seconds": None})
        found[str(path.relative_to(folder))] = text
    return found


def images(folder: Path) -> dict[str, bytes]:
    return {n: (folder / n).read_bytes() for n in IMAGES if (folder / n).exists()}


def check(out: Path, sound: dict[str, list[dict[str, bytes]]]) -> None:
    """What is seen in a folder is of one run; with a result.json it is whole."""
    for folder in (p for p in (out, *out.glob("*/")) if not p.name.startswith(".")):
        seen = images(folder)
        known = sound.get(folder.name, [])
        assert not seen or any(seen.items() <= of.items() for of in known), folder
        result = ResultFolder(folder).result()
        if result is not None:
            assert ResultFolder(folder).is_whole()
            assert seen.keys() == {n for n in result[FILES] if n in IMAGES}
            assert seen in known


def finished(run: Run, settings: dict[str, Any] | None) -> None:
    if settings is not None:
        with suppress(StrokediffError):
            run(**settings)


FAST = {("another patient", "one"): 1, ("other patients", "several"): 9}
"""Every how many changes a kill is tried in the everyday tests; the others try every one."""


@pytest.mark.parametrize(
    ("earlier", "now", "every"),
    [
        *((earlier, now, every) for (earlier, now), every in FAST.items()),
        *(pytest.param(e, n, 1, marks=pytest.mark.slow) for e in EARLIER for n in NOW),
    ],
)
def test_a_kill_leaves_one_run_and_the_next_ends_as_if_there_was_none(
    run: Run, tmp_path: Path, earlier: str, now: str, every: int
) -> None:
    out = tmp_path / "out"
    finished(run, EARLIER[earlier])
    out.mkdir(exist_ok=True)
    (out / "notes.txt").write_text("mine")
    before = tmp_path / "before"
    shutil.copytree(out, before)
    finished(run, NOW[now])
    whole = content(out)
    sound: dict[str, list[dict[str, bytes]]] = {}
    for place in (out, before):
        for folder in (place, *place.glob("*/")):
            name = "out" if folder == place else folder.name
            sound.setdefault(name, []).append(images(folder))
    for n in itertools.count(step=every):
        shutil.rmtree(out)
        shutil.copytree(before, out)
        leftovers._swept.clear()
        SWITCH.seen, SWITCH.at = 0, n
        try:
            finished(run, NOW[now])
            assert SWITCH.seen <= n
            break
        except Killed:
            pass
        finally:
            SWITCH.at = None
        check(out, sound)
        leftovers._swept.clear()
        finished(run, NOW[now])
        assert content(out) == whole, f"killed at {n}"
    assert n > 20
