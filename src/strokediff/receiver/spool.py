"""The queue on disk: a folder a state, a folder a study in it. A step is one rename.

    incoming -> ready -> working -> sending -> done | failed

What is said of a step is written before it is taken, and every rename is flushed, so a kill at any
moment leaves each study whole in one state. Images that come while a study is further on lie in a
second folder of it in `incoming`; once that is worked on, the two are one again.
"""

from __future__ import annotations

import re
import shutil
import stat
from pathlib import Path
from threading import RLock
from typing import Any

from strokediff.errors import UsageError
from strokediff.receiver.study import State, StudyFolder, StudyRecord
from strokediff.util.files import atomic_directory, sync, writable
from strokediff.util.leftovers import remove, sweep

RESULTS = "results"
RETRY = "retry"
"""A file of that name in a failed study's folder asks for it to be done anew."""
REMOVING = ".removing"
KEY = re.compile(r"[0-9a-f]{24}")
PAST = (State.DONE, State.FAILED)
UNDER_WAY = (State.INCOMING, State.READY, State.WORKING, State.SENDING)


class Spool:
    """All studies of a store. Whoever moves one holds `lock`; one process has a store (`sole`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = RLock()

    def create(self) -> None:
        """Make the folders; `UsageError` where the place cannot be written."""
        with writable(self.root):
            for name in (*State, RESULTS):
                (self.root / name).mkdir(parents=True, exist_ok=True)

    def folder(self, state: State, key: str) -> StudyFolder:
        """The study's folder in that state, there or not."""
        return StudyFolder(self.root / state / key)

    def has(self, state: State, key: str) -> bool:
        """Whether the study is in that state."""
        return self.folder(state, key).path.is_dir()

    def keys(self, state: State) -> list[str]:
        """The studies in a state, those longest in it first."""
        place = self.root / state
        found = [p for p in place.iterdir() if KEY.fullmatch(p.name)] if place.is_dir() else []
        return [path.name for path in sorted(found, key=_age_of)]

    def results(self, key: str) -> Path:
        """Where the study's results go."""
        return self.root / RESULTS / key

    def open(self, key: str, study_uid: str, caller: str) -> StudyFolder:
        """The study's folder in `incoming`, made if it is not there."""
        folder = self.folder(State.INCOMING, key)
        if not folder.path.is_dir():
            record = StudyRecord(study_uid=study_uid, callers=(caller,)).stepped(State.INCOMING)
            with atomic_directory(folder.path) as work:
                (work / key).mkdir()
                StudyFolder(work).write(record)
        return folder

    def advance(
        self, key: str, source: State, target: State, why: str = "", *notes: str, **changes: Any
    ) -> None:
        """Take the study from one state to another; `changes` are those of its record."""
        with self.lock:
            folder, there = self.folder(source, key), self.folder(target, key)
            if there.path.is_dir():
                self._join(there, folder)
            record = folder.record().model_copy(update=changes)
            folder.write(record.stepped(target, why, *notes))
            folder.path.rename(there.path)
            sync(there.path.parent)
            sync(folder.path.parent)

    def claim(self) -> str | None:
        """Take the next ready study to `working`, with all that came of it before; None if none.

        A study that is worked on or sent waits until that is over.
        """
        with self.lock:
            busy = {*self.keys(State.WORKING), *self.keys(State.SENDING)}
            for key in self.keys(State.READY):
                if key not in busy:
                    again = self._with_its_past(key)
                    self.advance(key, State.READY, State.WORKING, "", *again, reason="")
                    return key
        return None

    def wanted_again(self) -> list[str]:
        """Put failed studies for which somebody asked in the queue again; returns them."""
        with self.lock:
            found = [
                key
                for key in self.keys(State.FAILED)
                if (self.folder(State.FAILED, key).path / RETRY).is_file()
            ]
            for key in found:
                self.advance(key, State.FAILED, State.READY, "asked for again", lost_workers=0)
                (self.folder(State.READY, key).path / RETRY).unlink()
        return found

    def recover(self) -> list[str]:
        """Put in order what a killed run left; returns a sentence for each study it was at."""
        told = []
        with self.lock:
            self._clear()
            for key in self.keys(State.WORKING):
                told.append(f"{key}: the last run was stopped while it worked on it")
                self.advance(key, State.WORKING, State.READY, "the run was stopped at it")
            for key in self.keys(State.READY):
                if self.has(State.INCOMING, key):
                    self._join(self.folder(State.READY, key), self.folder(State.INCOMING, key))
        return told

    def remove_images(self, key: str) -> None:
        """Give up a done study's images; its record and results stay."""
        with self.lock:
            folder = self.folder(State.DONE, key)
            folder.write(folder.record().model_copy(update={"images_removed": True}))
            junk = folder.path / REMOVING
            remove(junk)
            folder.images.rename(junk)
            remove(junk)

    def _with_its_past(self, key: str) -> list[str]:
        """Join a ready study with what was done of it before; returns what is to be said."""
        told = []
        folder = self.folder(State.READY, key)
        for state in PAST:
            if self.has(state, key):
                older = self.folder(state, key)
                n = len({f.name for f in folder.files()} - {f.name for f in older.files()})
                told.append(f"{n} images came after it was {state}, so it was done anew")
                if older.record().images_removed:
                    told.append(
                        "its earlier images had been removed to make room and are not part of the "
                        "new result; send the whole study again"
                    )
                self._join(older, folder)
        return told

    def _join(self, older: StudyFolder, newer: StudyFolder) -> None:
        """Move all of the older folder into the newer one; done twice, or in parts, is done."""
        newer.write(newer.record().after(older.record()))
        newer.images.mkdir(exist_ok=True)
        for file in older.files():
            if not (newer.images / file.name).exists():
                file.rename(newer.images / file.name)
        sync(newer.images)
        junk = older.path.with_name(f"{REMOVING}-{older.key}")
        remove(junk)
        older.path.rename(junk)
        remove(junk)

    def _clear(self) -> None:
        """Remove half-written files and folders, and studies of which no image was kept."""
        for state in State:
            sweep(self.root / state)
            for junk in (self.root / state).glob(f"{REMOVING}-*"):
                remove(junk)
            for key in self.keys(state):
                folder = self.folder(state, key)
                remove(folder.path / REMOVING)
                for place in (folder.path, folder.images):
                    sweep(place)
                if state is State.INCOMING and not folder.files():
                    remove(folder.path)


def open_spool(store: Path) -> Spool:
    """The spool of a store that is there, to look at; `UsageError` if there is none."""
    if not (store / State.INCOMING).is_dir():
        raise UsageError(
            f"{store}: no store of 'strokediff listen'. Give the folder of its --store."
        )
    return Spool(store)


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
        except OSError:
            continue
    return total


def free_bytes(folder: Path) -> int:
    """Room on the disk."""
    return shutil.disk_usage(folder).free


def _age_of(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except OSError:  # it moved on
        return 0.0, path.name
