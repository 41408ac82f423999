"""Unfinished tallies on disk, so that hours of draws survive a stop."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from torch import Tensor

from strokediff.inference.tally import Tally, in_columns
from strokediff.util.leftovers import remove

EVERY_S = 60.0
PREFIX = ".unfinished-"
FIELDS = ("counts", "y", "y2", "a", "a2")


class DiskStore:
    """Keeps each tally in a file of `folder`, at most once a minute.

    `key` says all that the draws depend on; a file of another key is never read. A damaged file
    counts as none. What cannot be kept costs nothing but a line in `warnings`: the draws go on.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        every_s: float | None = None,
        warnings: list[str] | None = None,
    ) -> None:
        self.folder = folder
        self.digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        self.every_s = EVERY_S if every_s is None else every_s
        self.warnings = [] if warnings is None else warnings
        self._last = time.monotonic()

    def load(self, name: str, like: Tensor) -> Tally:
        """The tally kept under `name`, or an empty one for labels shaped like (S, K, H, W)."""
        from safetensors.torch import load_file

        empty = Tally.empty(like)
        try:
            found = in_columns(load_file(self._file(name)))
        except Exception:  # whatever it is: draws that cannot be read are made again
            return empty
        kept = [found.get(field) for field in FIELDS]
        fits = all(
            k is not None and (k.shape, k.dtype) == (e.shape, e.dtype)
            for k, e in zip(kept, empty.tensors(), strict=True)
        )
        return Tally(**found) if fits and len(found) == len(FIELDS) else empty

    def keep(self, name: str, tally: Tally) -> None:
        """Write it if the last writing is long enough ago; after a failure no more."""
        if self.warnings or time.monotonic() - self._last < self.every_s:
            return
        work = self._file(name).with_suffix(".writing")
        try:
            self._write(work, tally)
            work.replace(self._file(name))
        except Exception as error:  # a full disk, a share that is gone: whatever it is
            self.warnings.append(f"unfinished draws could not be kept on disk ({reason(error)})")
        finally:
            remove(work)
        self._last = time.monotonic()

    def _write(self, work: Path, tally: Tally) -> None:
        from safetensors.torch import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(zip(FIELDS, tally.tensors(), strict=True)), work)

    def _file(self, name: str) -> Path:
        return self.folder / f"{PREFIX}{self.digest}-{name}.safetensors"


def forget(folder: Path) -> None:
    """Remove what unfinished runs left in `folder`, once the result is there."""
    for file in folder.glob(f"{PREFIX}*"):
        remove(file)


def reason(error: BaseException) -> str:
    """Why something optional failed, in a line that names no folder of this machine."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
