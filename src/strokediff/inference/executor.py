"""Runs a network so that its numbers depend on neither batch size nor thread count.

Convolution libraries pick other kernels, with other roundings, for other batch sizes and thread
counts. Here every call sees the same shape: inputs are cut into chunks of fixed size, the last
one padded with zeros. On a CPU each chunk runs on one thread, and chunks run side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

Network = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(x_t, t) -> (eps_hat, y_t_hat)."""

CPU_CHUNK = 4
GPU_CHUNK = 64
SIDE = 192
"""Slices of a chunk up to this side; of larger ones as many as have the same pixels in all, since
they take the same memory: on a GPU 11 of 448 x 448, on a thread of a CPU 1."""


class ChunkedDenoiser:
    """(x_t, t) -> (eps_hat, y_t_hat) of any batch size, in chunks of a size fixed by the grid."""

    def __init__(
        self,
        network: Network,
        device: torch.device,
        pool: ThreadPoolExecutor | None,
        precision: str = "32",
    ) -> None:
        self.network = network
        self.device = device
        self.pool = pool
        self.half = precision == "bf16"
        self.most = CPU_CHUNK if device.type == "cpu" else GPU_CHUNK

    def __call__(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Predict for x_t (B, 1, H, W) at t (B,); results come back on the CPU, float32."""
        size = self.chunk(x_t)
        starts = range(0, len(x_t), size)
        pieces = [(x_t[i : i + size], t[i : i + size]) for i in starts]
        run = self.pool.map if self.pool else map
        eps_hat, y_t_hat = zip(*run(self._one, pieces), strict=True)
        return torch.cat(eps_hat), torch.cat(y_t_hat)

    def chunk(self, x_t: Tensor) -> int:
        """How many rows of x_t (B, C, H, W) go through the network at once; at least one."""
        return max(1, min(self.most, self.most * SIDE**2 // x_t[0, 0].numel()))

    @torch.inference_mode()
    def _one(self, piece: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x_t, t = piece
        count, size = len(x_t), self.chunk(x_t)
        x = x_t.new_zeros(size, *x_t.shape[1:])
        x[:count] = x_t
        times = t.new_zeros(size)
        times[:count] = t
        x = x.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            eps_hat, y_t_hat = self.network(x, times.to(self.device))
        return eps_hat[:count].float().cpu(), y_t_hat[:count].float().cpu()


@contextmanager
def denoiser_on(
    network: Network, device: torch.device, threads: int | None = None, precision: str = "32"
) -> Iterator[ChunkedDenoiser]:
    """A denoiser with its worker threads, one per core unless `threads` says otherwise."""
    if device.type != "cpu":
        yield ChunkedDenoiser(network, device, None, precision)
        return
    count = threads or torch.get_num_threads()
    before = torch.get_num_threads()
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield ChunkedDenoiser(network, device, pool, precision)
        finally:
            torch.set_num_threads(before)


def seconds_a_row(network: Network, seen: Tensor, rows: int) -> float:
    """How long the network takes for one of `rows` rows at once, measured at t = 1."""
    x = seen[torch.arange(rows) % len(seen)]
    t = torch.ones(rows, dtype=torch.long)
    network(x, t)  # the first call is slower
    start = time.perf_counter()
    network(x, t)
    return (time.perf_counter() - start) / rows
