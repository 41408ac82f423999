"""Work on many cases in several processes, the answers in order."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from threading import Thread, current_thread, main_thread
from typing import TypeVar

import numpy as np  # noqa: F401 - loads the libraries whose threads `_begin` limits
from threadpoolctl import threadpool_limits

from strokediff.errors import UsageError

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE_S = 5.0

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_processes(
    function: Callable[[_Item], _Result], items: Iterable[_Item], jobs: int
) -> Iterator[_Result]:
    """`map`, by `jobs` processes at once; by this one if `jobs` is 1.

    `function` and the items must survive pickling. What it raises is raised here, and what has not
    been started by then never is. The processes end with this one, however it ends. Raises
    `UsageError` if one of them is killed, as the system does when memory runs out.
    """
    items = list(items)
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        with _interrupts_ignored():  # the processes inherit it: Ctrl-C is for this one to tell
            answers = deque(pool.submit(_work, function, item) for item in items)
        while answers:
            yield answers.popleft().result()
    except BrokenProcessPool:
        raise UsageError(
            f"one of {jobs} processes was killed, most likely because memory ran out. Try fewer "
            "at once (-j 1 takes the least), or free memory."
        ) from None
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        _stop(active_children())
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


def _stop(processes: Sequence[BaseProcess]) -> None:
    """End them, with time to remove what they have half written."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE_S)
        process.kill()  # amid a computation that hears nothing


def _begin(parent: int) -> None:
    """What each process does first."""
    end_with(parent)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    # Small products on several threads mostly wait, and here the other cores are taken.
    threadpool_limits(limits=1)


def _work(function: Callable[[_Item], _Result], item: _Item) -> _Result:
    try:
        return function(item)
    except SystemExit:  # told to stop: the pool would take it for an answer and go on
        os._exit(1)


def end_with(parent: int) -> None:
    """Have this process killed when the one that started it is gone."""
    above = multiprocessing.parent_process()
    if above is not None:
        Thread(target=_end_after, args=(above.sentinel,), daemon=True).start()
    if sys.platform == "linux":  # at once, also amid a long computation
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.name == "posix" and os.getppid() != parent:  # it was gone before
        os._exit(1)


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
