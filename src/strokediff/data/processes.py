"""Work on many cases in several processes, the answers in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from threading import current_thread, main_thread
from typing import TypeVar

import numpy as np  # noqa: F401 - loads the libraries whose threads `_on_one_thread` limits
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    """`map`, by `jobs` processes at once; by this one if `jobs` is 1.

    `function` and the items must survive pickling. What it raises is raised here, and what has not
    been started by then never is.
    """
    items = list(items)
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_on_one_thread)
    try:
        with _interrupts_ignored():  # the processes inherit it: Ctrl-C is for this one to tell
            answers = deque(pool.submit(function, item) for item in items)
        while answers:
            yield answers.popleft().result()
    except KeyboardInterrupt:
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if current_thread() is not main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)  # None: not set from Python


def _on_one_thread() -> None:
    """Small products on several threads mostly wait, and here the other cores are taken."""
    threadpool_limits(limits=1)
