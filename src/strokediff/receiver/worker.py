"""A process a device that segments: what kills it, or holds it for ever, is not the listener."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from strokediff.errors import StrokediffError, UsageError
from strokediff.receiver.work import Verdict, Work, segmented
from strokediff.util.allocator import keep_freed_memory
from strokediff.util.processes import GRACE_S, end_with

READY = "ready"
STUDIES = 50
"""That a process works on before another takes its place: what it never gives back is bounded."""


class Worker(Protocol):
    """Works on one study at a time."""

    key: str | None
    """The study that it is at; None if it is free."""

    def start(self, key: str, source: Path, out: Path) -> None:
        """Begin with a study's images; the result goes to `out`."""
        ...

    def verdict(self) -> Verdict | None:
        """What came of the study, once; None while it is at it. `LostError` if it is no more."""
        ...

    def seconds(self) -> float:
        """How long it has been at the study."""
        ...

    def restart(self) -> None:
        """End what it is at, and be free again."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class LostError(Exception):
    """The worker ended while it was at a study."""


@dataclass(frozen=True)
class _Order:
    source: Path
    out: Path


class ProcessWorker:
    """A process of its own, with its own model.

    It begins when this is made: several load their models at once. `wait` raises what is wrong with
    the model, device or settings.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.key: str | None = None
        self._since = 0.0
        self._begin()

    def wait(self) -> None:
        """Until the model is loaded."""
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise UsageError(
                f"the worker on {self.work.device} ended while it loaded the model, most likely "
                "for want of memory. Free some, or choose another --device."
            ) from None
        if isinstance(answer, StrokediffError):
            raise answer

    def start(self, key: str, source: Path, out: Path) -> None:
        """Hand it a study."""
        if self._studies >= STUDIES or not self._process.is_alive():
            self.restart()
        self._studies += 1
        self.key, self._since = key, time.monotonic()
        with suppress(OSError):  # it has just ended: `verdict` says so
            self._pipe.send(_Order(source, out))

    def verdict(self) -> Verdict | None:
        """What it says; `LostError` with the exit code if it ended."""
        if self.key is None or not (self._pipe.poll() or not self._process.is_alive()):
            return None
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(GRACE_S)
            code = self._process.exitcode
            raise LostError(
                f"the worker ended ({_ending(code)}), most likely for want of memory"
            ) from None
        if isinstance(answer, StrokediffError):
            raise LostError(f"the worker could not begin again: {answer}")
        if answer == READY:  # after a restart
            return None
        self.key = None
        return answer if isinstance(answer, Verdict) else Verdict(failed=(str(answer),))

    def seconds(self) -> float:
        """Since `start`."""
        return 0.0 if self.key is None else time.monotonic() - self._since

    def restart(self) -> None:
        """A new process."""
        self.stop()
        self._begin()

    def stop(self) -> None:
        """Tell it to stop, with time to clear up; then kill it."""
        self.key = None
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(GRACE_S)
            self._process.kill()
        self._process.join()
        self._pipe.close()

    def _begin(self) -> None:
        self._studies = 0
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        arguments = (other, self.work, os.getpid())
        self._process: BaseProcess = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        other.close()


def workers_of(work: Work, devices: tuple[str, ...]) -> list[ProcessWorker]:
    """One a device, ready; `UsageError` or `InputError` for what none could do."""
    made: list[ProcessWorker] = []
    try:
        made = [ProcessWorker(replace(work, device=device)) for device in devices]
        for worker in made:
            worker.wait()
    except BaseException:
        for worker in made:
            worker.stop()
        raise
    return made


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _serve(pipe: Connection, work: Work, parent: int) -> None:
    """The process: a model, then study after study until the pipe ends."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the listener to tell
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    keep_freed_memory()
    try:
        from strokediff.prediction.ensemble import load_ensemble

        model = load_ensemble(
            work.models, device=work.device, precision=work.precision, threads=work.threads
        )
        work.estimation.estimator(model.process.T)
    except StrokediffError as error:
        pipe.send(error)
        return
    pipe.send(READY)
    while True:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(segmented(order.source, order.out, model, work))
