"""Results on their way: sent from the queue on disk, again and again while nobody takes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from strokediff.errors import InputError
from strokediff.receiver.senders import RejectedError, Sender, UnreachableError
from strokediff.receiver.settings import Limits
from strokediff.receiver.spool import Spool
from strokediff.receiver.study import State, StudyRecord
from strokediff.receiver.work import objects_of

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0
POLL_S = 0.2
CLOSING_S = 60.0


class Dispatcher:
    """Sends what is in `sending`, in a thread of its own.

    While the destination cannot be reached it waits 2, 4, 8 ... s, at most 5 minutes, and begins
    with the study that was tried least lately, so that one that fails always holds up no other.
    """

    def __init__(
        self,
        spool: Spool,
        sender: Sender,
        limits: Limits,
        tell: Callable[[str], None],
        *,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self.spool, self.sender, self.limits, self.tell = spool, sender, limits, tell
        self.first_wait_s = first_wait_s
        self._tried: dict[str, float] = {}
        self._failures = 0
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the study that is being sent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSING_S)

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                wait = self.round()
            except Exception as error:  # a full disk, a bug: what is in the queue stays there
                self.tell(f"sending: {error}")
                wait = LONGEST_WAIT_S

    def round(self) -> float:
        """Send what there is; returns the seconds to wait before the next round."""
        keys = self.spool.keys(State.SENDING)
        self._tried = {key: when for key, when in self._tried.items() if key in keys}
        for key in sorted(keys, key=lambda k: self._tried.get(k, 0.0)):
            if self._stop.is_set():
                break
            self._tried[key] = time.monotonic()
            try:
                self._send(key)
                self._failures = 0
            except RejectedError as error:
                self._fail(key, f"{self.sender.name} does not take it: {error}")
            except UnreachableError as error:
                return self._put_off(key, str(error))
        return POLL_S

    def _send(self, key: str) -> None:
        try:
            objects = objects_of(self.spool.results(key))
        except InputError as error:
            self._fail(key, str(error))
            return
        if objects:
            self.sender.send(objects)
        names = ", ".join(path.stem.removeprefix("lesion_") for path in objects) or "nothing"
        where = f"{names} sent to {self.sender.name}" if self.sender.name else "kept in the store"
        self.spool.advance(key, State.SENDING, State.DONE, where, reason="")
        self.tell(f"{key}: {where}")

    def _put_off(self, key: str, why: str) -> float:
        """Wait with a study; beyond the limit it has failed."""
        text = f"{self.sender.name} cannot be reached: {why}"
        folder = self.spool.folder(State.SENDING, key)
        record = folder.record()
        if _since(record) > timedelta(hours=self.limits.sending_hours):
            self._fail(key, f"{text}; tried for {self.limits.sending_hours:g} hours")
            return POLL_S
        if record.reason != text:
            folder.write(record.model_copy(update={"reason": text}))
        wait = min(self.first_wait_s * 2.0 ** min(self._failures, 16), LONGEST_WAIT_S)
        self._failures += 1
        self.tell(f"{key}: waits; {text}; next try in {wait:g} s")
        return wait

    def _fail(self, key: str, why: str) -> None:
        self.spool.advance(key, State.SENDING, State.FAILED, why, reason=why)
        self.tell(f"{key}: failed: {why}")


def _since(record: StudyRecord) -> timedelta:
    """How long it has been on its way."""
    began = [step.at for step in record.steps if step.state is State.SENDING]
    return datetime.now(UTC) - began[-1] if began else timedelta()
