"""What computed: times mean nothing without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine_name(device: torch.device | str = "cpu") -> str:
    """Processor and the cores that torch may use, or the GPU's name; and torch's version."""
    chosen = torch.device(device)
    if chosen.type == "cuda":
        return f"{torch.cuda.get_device_name(chosen)}, torch {torch.__version__}"
    used = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return f"{_processor()}, {used}, torch {torch.__version__}"


def _processor() -> str:
    """The processor's own name where Linux tells it, else what Python calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine() or "unknown processor"
