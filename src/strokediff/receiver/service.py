"""The listener: what comes is kept, what is whole is worked on, what is made is sent.

Everything is done from the queue on disk, so that a kill at any moment costs time and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from strokediff.errors import UsageError
from strokediff.receiver.arrivals import Arrivals
from strokediff.receiver.disk import Disk
from strokediff.receiver.dispatch import Dispatcher
from strokediff.receiver.scp import StorageScp
from strokediff.receiver.senders import Sender
from strokediff.receiver.server import Server
from strokediff.receiver.settings import Settings
from strokediff.receiver.spool import UNDER_WAY, Spool
from strokediff.receiver.study import State
from strokediff.receiver.work import Verdict, Work, lines
from strokediff.receiver.worker import LostError, Worker, workers_of
from strokediff.util.files import sole
from strokediff.util.quiet import quiet

POLL_S = 0.1
MOST_LOST = 2
"""Workers that may be lost at a study before it has failed."""
TROUBLE_S = 5.0

Tell = Callable[[str], None]


class Loop:
    """One turn after the other: studies become ready, workers get them and give their verdicts."""

    def __init__(
        self,
        spool: Spool,
        arrivals: Arrivals,
        workers: Sequence[Worker],
        work_seconds: float,
        tell: Tell,
    ) -> None:
        self.spool, self.arrivals, self.workers = spool, arrivals, workers
        self.work_seconds, self.tell = work_seconds, tell

    def turn(self) -> None:
        """All that can be done now."""
        for line in self.arrivals.settle():
            self.tell(line)
        for key in self.spool.wanted_again():
            self.tell(f"{key}: asked for again")
        self._put_back()
        for worker in self.workers:
            if worker.key is not None:
                self._look_at(worker, worker.key)
            if worker.key is None:
                self._occupy(worker)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not any(self.spool.keys(state) for state in UNDER_WAY)

    def _put_back(self) -> None:
        """What nobody is at, as its verdict could not be written, is done again."""
        at = {worker.key for worker in self.workers}
        for key in self.spool.keys(State.WORKING):
            if key not in at:
                self.spool.advance(key, State.WORKING, State.READY, "its verdict was not written")

    def _occupy(self, worker: Worker) -> None:
        key = self.spool.claim()
        if key is not None:
            source = self.spool.folder(State.WORKING, key).images
            worker.start(key, source, self.spool.results(key))

    def _look_at(self, worker: Worker, key: str) -> None:
        try:
            verdict = worker.verdict()
        except LostError as error:
            worker.restart()
            self._lost(key, str(error))
            return
        if verdict is not None:
            self._settle(key, verdict)
        elif worker.seconds() > self.work_seconds:
            worker.restart()
            self._fail(key, f"not segmented within {self.work_seconds:g} s (--work-seconds)")

    def _settle(self, key: str, verdict: Verdict) -> None:
        with self.spool.lock:
            self.arrivals.disk.count_results(key)
        for line in lines(verdict):
            self.tell(f"{key}: {line}")
        if not verdict.found:
            why = "; ".join(verdict.failed) or "no head CT"
            self._fail(key, why, *verdict.notes)
            return
        notes = (*verdict.notes, *(f"failed: {why}" for why in verdict.failed))
        found = "; ".join(verdict.found)
        self.spool.advance(key, State.WORKING, State.SENDING, found, *notes)

    def _lost(self, key: str, why: str) -> None:
        lost = self.spool.folder(State.WORKING, key).record().lost_workers + 1
        if lost >= MOST_LOST:
            self._fail(key, f"{why}; tried {lost} times")
            return
        self.tell(f"{key}: {why}; it is tried again")
        self.spool.advance(key, State.WORKING, State.READY, why, lost_workers=lost)

    def _fail(self, key: str, why: str, *notes: str) -> None:
        self.spool.advance(key, State.WORKING, State.FAILED, why, *notes, reason=why)


def listen(
    store: Path,
    settings: Settings,
    work: Work,
    sender: Sender,
    *,
    devices: Sequence[str] = ("auto",),
    tell: Tell = lambda line: None,
    listening: Callable[[int], object] = lambda port: None,
    idle_seconds: float | None = None,
) -> None:
    """Take studies, segment and send them, until stopped, or with nothing to do for so long.

    `listening(port)` is called once images can come, `tell` with a line for every step of a study.
    Raises `UsageError` where another listener is at work in `store`, the store cannot be written,
    or the port is taken; and what is wrong with the model or device.
    """
    spool = Spool(store)
    with ExitStack() as stack:
        stack.enter_context(sole(store, "listen"))
        stack.enter_context(quiet("pydicom"))  # its warnings quote what senders write
        spool.create()
        for line in spool.recover():
            tell(line)
        workers = workers_of(work, tuple(devices))
        for worker in workers:
            stack.callback(worker.stop)
        with spool.lock:
            arrivals = Arrivals(spool, Disk(spool, settings.limits), settings)
        dispatcher = Dispatcher(spool, sender, settings.limits, tell)
        server = Server.listening(settings, StorageScp(arrivals, tell))
        stack.callback(server.close)
        dispatcher.start()
        stack.callback(dispatcher.stop)
        listening(server.port)
        loop = Loop(spool, arrivals, workers, settings.limits.work_seconds, tell)
        _until_idle(loop, idle_seconds, tell)


def _until_idle(loop: Loop, idle_seconds: float | None, tell: Tell) -> None:
    since = time.monotonic()
    while idle_seconds is None or time.monotonic() - since < idle_seconds:
        try:
            loop.turn()
        except (OSError, UsageError) as error:  # a full disk: the queue is as it was
            tell(f"cannot go on for now: {error}")
            time.sleep(TROUBLE_S)
        if idle_seconds is None or not loop.idle:
            since = time.monotonic()
        time.sleep(POLL_S)
