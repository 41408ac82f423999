"""A run that is told to stop clears up: signals become an exit that passes through every block."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

STOPS = ("SIGTERM", "SIGHUP")
"""What schedulers, services and a terminal that is closed send; `nohup` ignores the second."""
STOPPED = (129, 130, 143)
"""Exit codes as shells have them, 128 + the signal: SIGHUP, SIGINT (Ctrl-C), SIGTERM."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within, a signal of `STOPS` raises `SystemExit`, once: clearing up is not interrupted.

    Signals that somebody handles or ignores already stay theirs.
    """
    known = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
    if current_thread() is not main_thread():
        known = []  # signals are the main thread's
    ours = [number for number in known if signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in ours:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
