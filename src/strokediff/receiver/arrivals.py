"""Images into the spool, and when a study is whole: after a pause, or at a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from strokediff.errors import UsageError
from strokediff.receiver.disk import Disk, NoRoomError
from strokediff.receiver.settings import GIB, Settings
from strokediff.receiver.spool import UNDER_WAY, Spool
from strokediff.receiver.study import State, StudyFolder, key_of
from strokediff.util.files import write_bytes


class Kept(Enum):
    """What became of an image."""

    NEW = "new"
    SAME = "there already"
    OTHER = "another of the same UID is there"


@dataclass
class _Arriving:
    """A study that images come of, since this run began."""

    first: float
    last: float
    images: int = 0
    size: int = 0
    refused: int = 0
    cut: bool = False


class Arrivals:
    """What came, by study. After a restart every study under way has its whole pause again."""

    def __init__(
        self,
        spool: Spool,
        disk: Disk,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spool, self.disk, self.settings, self.clock = spool, disk, settings, clock
        self._studies: dict[str, _Arriving] = {}
        for key in spool.keys(State.INCOMING):
            self._of(key)

    def add(self, study_uid: str, sop_uid: str, caller: str, content: Sequence[bytes]) -> Kept:
        """Keep an image, on disk when this returns. The same image again changes nothing.

        Another image under a UID that is there is left out: the first stays. Raises `NoRoomError`
        beyond a limit.
        """
        key = key_of(study_uid)
        with self.spool.lock:
            for state in State:
                path = self.spool.folder(state, key).image(sop_uid)
                if path.is_file():
                    if state is State.INCOMING:
                        self._of(key).last = self.clock()
                    return Kept.SAME if _equal(path, content) else Kept.OTHER
            arriving, size = self._of(key), sum(map(len, content))
            try:
                self._check(arriving, size)
                self.disk.take(size)
                self._write(key, study_uid, sop_uid, caller, content)
            except NoRoomError:
                arriving.refused += 1
                raise
            arriving.images, arriving.size = arriving.images + 1, arriving.size + size
            arriving.last = self.clock()
            return Kept.NEW

    def settle(self) -> list[str]:
        """Make ready what has been quiet, and what would not be; returns a sentence for each."""
        told, now = [], self.clock()
        quiet, longest = self.settings.quiet_seconds, self.settings.limits.arriving_seconds
        with self.spool.lock:
            for key in self.spool.keys(State.INCOMING):
                arriving = self._of(key)
                cut = now - arriving.first >= longest
                if cut or now - arriving.last >= quiet:
                    told.append(self._settle(key, arriving, cut and now - arriving.last < quiet))
            ended = [k for k in self._studies if not any(self.spool.has(s, k) for s in UNDER_WAY)]
            for key in ended:
                del self._studies[key]
        return told

    def _settle(self, key: str, arriving: _Arriving, cut: bool) -> str:
        """`cut` off while images still came."""
        notes = []
        if cut:
            longest = self.settings.limits.arriving_seconds
            notes.append(
                f"cut off after {longest:g} s, as images still came; the rest is done anew"
            )
        if arriving.refused:
            notes.append(f"{arriving.refused} images were refused: a limit was reached")
        n = len(self.spool.folder(State.INCOMING, key).files())
        self.spool.advance(key, State.INCOMING, State.READY, f"{n} images", *notes)
        now = self.clock()
        self._studies[key] = _Arriving(now, now, arriving.images, arriving.size, cut=cut)
        return f"{key}: {'; '.join([f'{n} images', *notes])}"

    def _of(self, key: str) -> _Arriving:
        if key not in self._studies:
            now = self.clock()
            folders = (self.spool.folder(s, key) for s in (State.INCOMING, State.READY))
            sizes = [file.stat().st_size for folder in folders for file in folder.files()]
            self._studies[key] = _Arriving(now, now, len(sizes), sum(sizes))
        return self._studies[key]

    def _check(self, arriving: _Arriving, size: int) -> None:
        limits = self.settings.limits
        if arriving.images >= limits.study_images:
            raise NoRoomError(f"a study of more than {limits.study_images} images")
        if arriving.size + size > limits.study_gb * GIB:
            raise NoRoomError(f"a study of more than {limits.study_gb:g} GB")

    def _write(
        self, key: str, study_uid: str, sop_uid: str, caller: str, content: Sequence[bytes]
    ) -> None:
        try:
            folder = self._folder(key, study_uid, caller)
            write_bytes(folder.image(sop_uid), b"".join(content))
        except (UsageError, OSError) as error:
            self.disk.give_back(sum(map(len, content)))
            raise NoRoomError(str(error)) from error

    def _folder(self, key: str, study_uid: str, caller: str) -> StudyFolder:
        """Where an image goes: a ready study waits for its rest, unless it was cut off."""
        if self.spool.has(State.READY, key) and not self.spool.has(State.INCOMING, key):
            if self._of(key).cut:
                return self.spool.folder(State.READY, key)
            self.spool.advance(key, State.READY, State.INCOMING, "more images came")
        return self.spool.open(key, study_uid, caller)


def _equal(path: Path, content: Sequence[bytes]) -> bool:
    if path.stat().st_size != sum(map(len, content)):
        return False
    with path.open("rb") as stream:
        return all(stream.read(len(part)) == part for part in content)
