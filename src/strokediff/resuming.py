"""Unfinished tallies on disk, so that hours of draws survive a stop."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from torch import Tensor

from strokediff.inference.tally import Tally

EVERY_S = 60.0
PREFIX = ".unfinished-"
FIELDS = ("counts", "y", "y2", "a", "a2")


class DiskStore:
    """Keeps each tally in a file of `folder`, at most once a minute.

    `key` says all that the draws depend on; a file of another key is never read. A damaged file
    counts as none.
    """

    def __init__(self, folder: Path, key: str, every_s: float | None = None) -> None:
        self.folder = folder
        self.digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        self.every_s = EVERY_S if every_s is None else every_s
        self._last = time.monotonic()

    def load(self, name: str, like: Tensor) -> Tally:
        """The tally kept under `name`, or an empty one for slices shaped like (S, 1, H, W)."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        empty = Tally.empty(like)
        try:
            found = load_file(self._file(name))
        except (OSError, SafetensorError):
            return empty
        kept = [found.get(field) for field in FIELDS]
        fits = all(
            k is not None and (k.shape, k.dtype) == (e.shape, e.dtype)
            for k, e in zip(kept, empty.tensors(), strict=True)
        )
        return Tally(**found) if fits and len(found) == len(FIELDS) else empty

    def keep(self, name: str, tally: Tally) -> None:
        """Write it if the last writing is long enough ago."""
        from safetensors.torch import save_file

        if time.monotonic() - self._last < self.every_s:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        work = self._file(name).with_suffix(".writing")
        save_file(dict(zip(FIELDS, tally.tensors(), strict=True)), work)
        work.replace(self._file(name))
        self._last = time.monotonic()

    def _file(self, name: str) -> Path:
        return self.folder / f"{PREFIX}{self.digest}-{name}.safetensors"


def forget(folder: Path) -> None:
    """Remove what unfinished runs left in `folder`, once the result is there."""
    for file in folder.glob(f"{PREFIX}*"):
        file.unlink(missing_ok=True)
