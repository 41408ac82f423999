"""Work on many cases in several processes, the answers in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
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
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_on_one_thread) as pool:
        yield from pool.map(function, items)


def _on_one_thread() -> None:
    """Small products on several threads mostly wait, and here the other cores are taken."""
    threadpool_limits(limits=1)
