"""Products that depend on neither the batch nor the number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch
from torch import Tensor

TILE = 2**20
"""Elements of a matrix widened at a time: 4 MB of float32."""
ROWS = 2**12
"""Rows of a float32 matrix that one worker multiplies at a time."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Spread(Protocol):
    """`map`, its calls shared out among workers; results in the order of the items."""

    def __call__(
        self, function: Callable[[_Item], _Result], items: Iterable[_Item], /
    ) -> list[_Result]:
        """As `map`."""
        ...


def in_turn(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """`Spread` without workers."""
    return [function(item) for item in items]


def products(matrix: Tensor, vectors: Sequence[Tensor], spread: Spread = in_turn) -> Tensor:
    """matrix @ v for each v, (n, rows) float32; matrix (rows, cols) float32 or float16.

    One matrix-vector product a sample, because a matrix-matrix product may round otherwise for
    another batch. The matrix is cut into the same tiles whoever multiplies them; one of float16
    is widened tile by tile, each tile once for the whole batch.
    """
    rows, cols = matrix.shape
    step = rows
    if matrix.device.type == "cpu":
        step = ROWS if matrix.dtype == torch.float32 else max(64, TILE // cols)
    out = torch.empty(len(vectors), rows, device=matrix.device)

    def multiply(start: int) -> None:
        tile = matrix[start : start + step].float()
        for i, vector in enumerate(vectors):
            out[i, start : start + step] = tile @ vector

    spread(multiply, range(0, rows, step))
    return out


@contextmanager
def workers(device: torch.device) -> Iterator[Spread]:
    """On a CPU, every call on one thread, and as many calls at once as PyTorch had threads.

    Libraries sum in another order on more threads; tasks fixed beforehand do not mind who does
    them.
    """
    count = torch.get_num_threads()
    if device.type != "cpu":
        yield in_turn
        return
    torch.set_num_threads(1)
    try:
        if count == 1:
            yield in_turn
        else:
            # A thread does not inherit inference mode, whose tensors only it may write to.
            mode = torch.is_inference_mode_enabled()
            with ThreadPoolExecutor(count) as pool:
                yield lambda function, items: list(pool.map(_in_mode(function, mode), items))
    finally:
        torch.set_num_threads(count)


def _in_mode(function: Callable[[_Item], _Result], inference: bool) -> Callable[[_Item], _Result]:
    def call(item: _Item) -> _Result:
        with torch.inference_mode(inference):
            return function(item)

    return call
