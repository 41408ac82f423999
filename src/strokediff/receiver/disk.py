"""How much of its share of the disk a store takes, and what makes room when that is used up."""

from __future__ import annotations

import time
from collections.abc import Callable

from strokediff.receiver.settings import GIB, Limits
from strokediff.receiver.spool import RESULTS, Spool, bytes_below, free_bytes
from strokediff.receiver.study import State

LEAST_FREE = 256 * 2**20
"""Bytes of the disk that are left to others."""
RECOUNT_S = 30.0
"""At most so often a full store is walked through."""


class NoRoomError(Exception):
    """An image cannot be taken; the sender is told that resources are out."""


class Disk:
    """Counts bytes, so that no image costs a walk over the store. For who holds the spool's lock.

    Where an image does not fit, images of done studies go, the oldest first: their results stay.
    Studies under way, failed ones and results are never removed.
    """

    def __init__(
        self, spool: Spool, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.spool, self.clock = spool, clock
        self.limit = int(limits.disk_gb * GIB)
        self._count()

    @property
    def used(self) -> int:
        """Bytes of images and results."""
        return self._images + sum(self._results.values())

    def take(self, size: int) -> None:
        """Make room for an image; `NoRoomError` if there is none."""
        for key in self.spool.keys(State.DONE) if self.used + size > self.limit else ():
            if self.used + size <= self.limit:
                break
            folder = self.spool.folder(State.DONE, key)
            if folder.images.is_dir():
                freed = bytes_below(folder.images)
                self.spool.remove_images(key)
                self._images -= freed
        if self.used + size > self.limit and self.clock() - self._counted >= RECOUNT_S:
            self._count()  # somebody may have made room by hand
        if self.used + size > self.limit:
            raise NoRoomError(
                f"the store has {self.used / GIB:.2f} GB of the {self.limit / GIB:g} GB that it "
                "may (--max-gb), and no done study to make room. Remove old folders of "
                f"{RESULTS}/ and {State.FAILED}/"
            )
        if free_bytes(self.spool.root) - size < LEAST_FREE:
            raise NoRoomError(f"the disk of {self.spool.root} is full. Make room on it")
        self._images += size

    def give_back(self, size: int) -> None:
        """An image for which there was room was not written after all."""
        self._images -= size

    def count_results(self, key: str) -> None:
        """Bring what a study's results take up to date."""
        self._results[key] = bytes_below(self.spool.results(key))

    def _count(self) -> None:
        self._results = {p.name: bytes_below(p) for p in (self.spool.root / RESULTS).iterdir()}
        self._images = sum(bytes_below(self.spool.root / state) for state in State)
        self._counted = self.clock()
