"""Times are told with the processor, how many of its cores were used, and torch's version."""

from __future__ import annotations

import os

import torch

from strokediff.util.machine import machine_name


def test_the_machine_is_named() -> None:
    name = machine_name("cpu")
    assert name == machine_name(torch.device("cpu"))
    processor, cores, version = name.rsplit(", ", 2)
    assert processor.strip()
    assert (cores, version) == (
        f"{torch.get_num_threads()} of {os.cpu_count()} cores",
        f"torch {torch.__version__}",
    )
