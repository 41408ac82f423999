"""Products that depend on neither the batch nor the number of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

TILE = 2**18
"""Elements of a matrix widened at a time: 1 MB of float32, which stays in the cache."""


def products(matrix: Tensor, vectors: Sequence[Tensor]) -> Tensor:
    """matrix @ v for each v, (n, rows) float32; matrix (rows, cols) float32 or float16.

    One matrix-vector product a sample, because a matrix-matrix product may round otherwise for
    another batch. A float16 matrix is widened tile by tile, each tile once for the whole batch.
    """
    rows, cols = matrix.shape
    whole = matrix.dtype == torch.float32 or matrix.device.type != "cpu"
    step = rows if whole else max(64, TILE // cols)
    out = torch.empty(len(vectors), rows, device=matrix.device)
    for start in range(0, rows, step):
        tile = matrix[start : start + step].float()
        for i, vector in enumerate(vectors):
            out[i, start : start + step] = tile @ vector
    return out


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """On a CPU, run the block on one thread: libraries sum in another order on more."""
    if device.type != "cpu":
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
