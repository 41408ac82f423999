"""Where and how a network runs: device, precision, threads and compiler, chosen once."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from strokediff.errors import UsageError
from strokediff.inference.executor import ChunkedDenoiser, Network, denoiser_on

PRECISIONS = ("auto", "32", "bf16")


@dataclass(frozen=True)
class Compute:
    """A device, and how a network runs there; `Compute.of` makes one by names, and checks them.

    `precision` is "32" or "bf16"; `threads` those of a CPU, None: one a core.

    Results depend on precision, compiler and kind of device in their last digits, never on the
    number of threads.

    >>> Compute.of("cpu")
    Compute(device=device(type='cpu'), precision='32', threads=None, compiled=False)
    """

    device: torch.device
    precision: str = "32"
    threads: int | None = None
    compiled: bool = False

    @classmethod
    def of(
        cls, device: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> Compute:
        """By the names of the command line; `UsageError` if this machine has no such thing.

        Precision auto is bf16 on a GPU that has it, else 32: on CPUs without matrix units bf16 is
        slower.
        """
        where = resolve_device(device)
        if precision not in PRECISIONS:
            raise UsageError(
                f"no precision '{precision}'; expected one of: {', '.join(PRECISIONS)}"
            )
        if precision == "auto":
            has_bf16 = where.type == "cuda" and torch.cuda.is_bf16_supported()
            precision = "bf16" if has_bf16 else "32"
        return cls(where, precision, threads)

    def running(self, network: Network) -> AbstractContextManager[ChunkedDenoiser]:
        """The network with its worker threads, as the estimators call it."""
        return denoiser_on(network, self.device, self.threads, self.precision)

    def compile(self, network: nn.Module) -> tuple[Compute, Any]:
        """This with the network compiled (torch.compile), which takes minutes at first.

        Its answers differ from the network's own by rounding. Raises `UsageError` where there is
        no compiler: on a CPU, PyTorch needs one for C++.
        """
        compiler = os.environ.get("CXX", "g++")
        if self.device.type == "cpu" and shutil.which(compiler) is None:
            raise UsageError(
                f"--compile needs a C++ compiler on a CPU, and there is no '{compiler}'. Install "
                "one, name it in CXX, or leave --compile out."
            )
        return replace(self, compiled=True), torch.compile(network)


ON_CPU = Compute(torch.device("cpu"))


def resolve_device(name: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps; `UsageError` if this machine has no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device '{name}'; expected auto, cpu, cuda, cuda:N or mps.") from None
    missing = (
        (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count())
        or (device.type == "mps" and not torch.backends.mps.is_available())
        or device.type not in ("cpu", "cuda", "mps")
    )
    if missing:
        raise UsageError(
            f"device '{name}' is not available: this PyTorch ({torch.__version__}) sees "
            f"{torch.cuda.device_count()} CUDA device(s). Use --device cpu, or install a build "
            "of PyTorch for your GPU."
        )
    return device
