"""A study's folder in the spool: its images, and what has happened to it.

    KEY/study.json       UID, times, reasons
    KEY/KEY/HASH.dcm     an image each

Names are digests of UIDs: nothing that a sender says becomes part of a path.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from strokediff.errors import InputError
from strokediff.util.files import write_json
from strokediff.util.jsonfile import read_json

MOST_STEPS = 100
"""Of a study that is done anew again and again, the last."""


class State(StrEnum):
    """Where a study stands; its folder lies in the folder of that name."""

    INCOMING = "incoming"
    READY = "ready"
    WORKING = "working"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"


class Step(BaseModel):
    """What happened and when (UTC, to the second)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: State
    at: datetime
    why: str = ""


class StudyRecord(BaseModel):
    """All of study.json. `reason` is why it failed, or waits; `notes` are to be known of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study_uid: str = ""
    callers: tuple[str, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    lost_workers: int = 0
    images_removed: bool = False
    steps: tuple[Step, ...] = ()

    def stepped(self, state: State, why: str = "", *notes: str) -> StudyRecord:
        """The same one step on."""
        step = Step(state=state, at=datetime.now(UTC).replace(microsecond=0), why=why)
        told = tuple(dict.fromkeys((*self.notes, *notes)))
        steps = (*self.steps, step)[-MOST_STEPS:]
        return self.model_copy(update={"steps": steps, "notes": told[-MOST_STEPS:]})

    def after(self, older: StudyRecord) -> StudyRecord:
        """The same with what happened before it; twice is once."""
        if self.steps[: len(older.steps)] == older.steps:
            return self
        update = {
            "steps": (*older.steps, *self.steps)[-MOST_STEPS:],
            "callers": tuple(dict.fromkeys((*older.callers, *self.callers))),
            "study_uid": self.study_uid or older.study_uid,
        }
        return self.model_copy(update=update)


class StudyFolder:
    """One study's folder, in whatever state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def key(self) -> str:
        """Of the study."""
        return self.path.name

    @property
    def images(self) -> Path:
        """The folder of the images, called like the study: results take their name from it."""
        return self.path / self.path.name

    def image(self, sop_uid: str) -> Path:
        """Where the image of that UID lies, or would."""
        return self.images / f"{_digest(sop_uid)}.dcm"

    def files(self) -> list[Path]:
        """The images that are there, whole ones."""
        return sorted(self.images.glob("[0-9a-f]*.dcm")) if self.images.is_dir() else []

    def record(self) -> StudyRecord:
        """study.json; an empty one where it is missing or damaged: the images are what counts."""
        try:
            return StudyRecord.model_validate(read_json(self.path / "study.json", "a study"))
        except (InputError, ValidationError):
            return StudyRecord(notes=("study.json was missing or damaged",))

    def write(self, record: StudyRecord) -> None:
        """Write study.json atomically."""
        write_json(self.path / "study.json", record.model_dump(mode="json"))


def key_of(study_uid: str) -> str:
    """The name of a study's folder: the same study has the same, and no study another's.

    >>> key_of("1.2.3")
    'c47f5b18b8a430e698b9fe15'
    """
    return _digest(study_uid)[:24]


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode("utf-8", "backslashreplace")).hexdigest()[:40]
