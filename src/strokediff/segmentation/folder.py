"""The folder of one result: all in it that is ours is of one run, at every moment.

`result.json` is there if and only if every file that it lists is there, of the same run, whole. A
new result is made in a hidden folder within (so on the same disk, and the folder itself may be a
mount point) and put in place file by file, `result.json` last:

    .writing-XXXX/   being made; complete where it holds a result.json
    .retired.json    result.json of an older result, whose files are on their way into
    .older-result/   that older result, whole; it does not count

Each step is one change of a name, so `tidy` finishes or undoes whatever a kill left. Files that no
result.json lists are somebody else's: never moved, removed or written over. For one process at a
time (`sole`).
"""

from __future__ import annotations

import gzip
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from strokediff.ct.discovery.own_results import own_result
from strokediff.errors import UsageError
from strokediff.result.figures import Result
from strokediff.result.reading import Reading, read_result
from strokediff.result.record import Record
from strokediff.segmentation.outputs import DICOM, IMAGES, PAGES
from strokediff.util.files import sha256_of, sync, writable, write_json
from strokediff.util.leftovers import remove

R = TypeVar("R", bound=Result)
RESULT = "result.json"
RETIRED = ".retired.json"
ASIDE = ".older-result"
WORK = ".writing-"
REMOVING = ".removing-"
FILES = "files"
"""Key of result.json: name -> SHA-256 of each image, None of pages and pictures."""


class ResultFolder:
    """`path` may not be there yet; what is asked of it then is that of an empty folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def result(self) -> dict[str, Any] | None:
        """The content of the result.json there, if `segment` wrote it."""
        return _result(self.path / RESULT)

    def read(self) -> Record | Reading | None:
        """The same as a type, whoever made the mask; None if another version wrote another."""
        return read_result(self.result())

    def record(self) -> Record | None:
        """The same of a model's mask alone."""
        found = self.read()
        return found if isinstance(found, Record) else None

    def is_whole(self) -> bool:
        """Whether there is a result, and its images are those that were written."""
        listed = (self.result() or {}).get(FILES)
        return isinstance(listed, dict) and all(
            digest is None or digest == _digest(self.path / name) for name, digest in listed.items()
        )

    def changed(self) -> list[str]:
        """Images that somebody changed since they were written: a mask corrected by hand.

        One that is missing, empty or cannot be read to its end is none: it is of no use.
        """
        listed = (self.result() or {}).get(FILES)
        listed = listed if isinstance(listed, dict) else {}
        there = {
            n: d for n, d in listed.items() if n in IMAGES and d and _is_readable(self.path / n)
        }
        return sorted(n for n, digest in there.items() if digest != _digest(self.path / n))

    def foreign(self, names: Iterable[str]) -> list[str]:
        """Of the files that are to be written, those that are there and no result accounts for."""
        own = _listed(self.result())
        wanted = set(names) | {RESULT}
        return sorted(n for n in wanted - own if os.path.lexists(self.path / n))

    def tidy(self) -> None:
        """Finish what an earlier run was killed at; afterwards nothing of it is half there."""
        if not self.path.is_dir():
            return
        for junk in self.path.glob(f"{REMOVING}*"):
            remove(junk)
        self._finish_setting_aside()
        for work in sorted(self.path.glob(f"{WORK}*")):
            self._settle(work)
        if self.result() is not None:
            self._discard(ASIDE)

    def set_aside(self) -> bool:
        """Make an older result not count, keeping it in `.older-result`; whether there was one."""
        if self.result() is None:
            return False
        (self.path / RESULT).replace(self.path / RETIRED)
        self._finish_setting_aside()
        return True

    def take_back(self) -> None:
        """Put the result that was set aside in place again."""
        work = self.path / f"{WORK}{secrets.token_hex(4)}"
        (self.path / ASIDE).replace(work)
        self._publish(work)

    @property
    def older(self) -> ResultFolder:
        """The result that was set aside."""
        return ResultFolder(self.path / ASIDE)

    @contextmanager
    def being_written(self) -> Iterator[Path]:
        """A folder to write a result's files into; `publish` puts them in place.

        Raises `UsageError` where the place cannot be written; nothing half-written is left.
        """
        work = self.path / f"{WORK}{secrets.token_hex(4)}"
        with writable(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            work.mkdir()
            try:
                yield work
            except UsageError as error:  # the place as the user knows it
                raise UsageError(str(error).replace(f"{work.name}{os.sep}", "")) from error
            finally:
                with suppress(OSError):  # the next run finishes it
                    self._settle(work)

    def publish(self, work: Path, record: R) -> R:
        """Put what lies in `work` in place, with `record` and a list of it as its result.json.

        Raises `UsageError` if that cannot be written; nothing is in place then.
        """
        names = sorted(p.name for p in work.iterdir())
        listed = {n: _digest(work / n) if n in (*IMAGES, *DICOM.values()) else None for n in names}
        whole = record.model_copy(update={FILES: listed})
        write_json(work / RESULT, whole.content())
        self._publish(work)
        return whole

    def _settle(self, work: Path) -> None:
        """Put it in place if it is complete, remove it if it is not."""
        if FILES in (_result(work / RESULT) or {}):
            self._publish(work)
        else:
            remove(work)

    def _publish(self, work: Path) -> None:
        self.set_aside()
        for name in sorted(_listed(_result(work / RESULT)) - {RESULT}):
            if (work / name).exists():
                (work / name).replace(self.path / name)
        sync(self.path)
        (work / RESULT).replace(self.path / RESULT)
        sync(self.path)
        remove(work)
        self._discard(ASIDE)

    def _finish_setting_aside(self) -> None:
        retired = _result(self.path / RETIRED)
        if retired is None:
            return
        aside = self.path / ASIDE
        if (aside / RESULT).exists():  # one that is older still
            self._discard(ASIDE)
        aside.mkdir(exist_ok=True)
        for name in _listed(retired) - {RESULT}:
            if os.path.lexists(self.path / name):
                (self.path / name).replace(aside / name)
        (self.path / RETIRED).replace(aside / RESULT)

    def _discard(self, name: str) -> None:
        """Remove a folder in two steps: never seen with a part of its files."""
        junk = self.path / f"{REMOVING}{secrets.token_hex(4)}"
        if (self.path / name).exists():
            (self.path / name).replace(junk)
            remove(junk)


def _result(path: Path) -> dict[str, Any] | None:
    return own_result(path) if path.is_file() else None


def _listed(result: dict[str, Any] | None) -> set[str]:
    """Names of a result's files; of version 0.1.0, which made no list, all that it may have."""
    if result is None:
        return set()
    listed = result.get(FILES)
    if isinstance(listed, dict):
        # What a file says is not trusted: a name that leads out of the folder is none.
        return {n for n in listed if n in (*IMAGES, *PAGES, *DICOM.values())} | {RESULT}
    source = result.get("input")
    is_nifti = isinstance(source, dict) and source.get("kind") == "nifti"
    return {n for n in (*IMAGES, *PAGES, RESULT) if not (is_nifti and n == "ct.nii.gz")}


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        return sha256_of(path)
    except OSError:
        return None


def _is_readable(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return False
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error):
        return False
    return True
