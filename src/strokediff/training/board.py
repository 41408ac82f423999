"""Figures and pictures of a training for TensorBoard: good to have, never worth the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strokediff.training.loop import StepReport
from strokediff.util.extras import require

EVERY = 20
"""Steps between two figures of the loss."""
WRITER = "_AsyncWriterThread"
"""What TensorBoard writes with, in the background."""


class Board:
    """Logs in `folder`. The first failure is told to `warn`, and then nothing more is logged."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder = folder
        self.warn = warn
        self._writer: Any = None
        self._make = require("torch.utils.tensorboard", "train").SummaryWriter
        self._failed = False

    def log(self, report: StepReport) -> None:
        """Losses every `EVERY` steps, a validation's figures and picture where there is one."""
        if self._failed:
            return
        try:
            if self._writer is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._writer = self._make(str(self.folder))
            _log(self._writer, report)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is left."""
        try:
            if self._writer is not None:
                self._writer.close()
        except OSError as error:
            if not self._failed:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._failed = True
        why = error.strerror or str(error)
        self.warn(f"{self.folder}: no more logs for TensorBoard ({why}); the training goes on.")


@contextmanager
def board(folder: Path, warn: Callable[[str], None]) -> Iterator[Board]:
    """A `Board`, closed at the end; its thread's traceback is not printed beside the warning."""
    before = threading.excepthook

    def quiet(found: Any) -> None:
        if type(found.thread).__name__ != WRITER:
            before(found)

    threading.excepthook = quiet
    own = Board(folder, warn)
    try:
        yield own
    finally:
        own.close()
        threading.excepthook = before


def _log(write: Any, report: StepReport) -> None:
    if report.step % EVERY == 0:
        write.add_scalar("lr", report.lr, report.step)
        for key, value in report.losses.items():
            write.add_scalar(f"train/{key}", value, report.step)
    if report.validation:
        for key, value in report.validation.figures.items():
            write.add_scalar(f"validation/{key}", value, report.step)
        if report.validation.picture.size:
            picture = (report.validation.picture[None] + 1) / 2
            write.add_image("validation/image-truth-label", picture, report.step)
