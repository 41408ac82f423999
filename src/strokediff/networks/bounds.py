"""How large a network may be, told from its configuration before anything is allocated.

A configuration is a few numbers in a file, and a careless or hostile one asks for more memory than
there is. The bounds leave room: the papers' network has 74 million parameters and, on a grid of
448, 67 million features a slice.
"""

from __future__ import annotations

import torch

from strokediff.core.schedule import Schedule
from strokediff.errors import UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.networks.two_stream import TwoStreamUNet

MAX_PARAMETERS = 2**28
"""1 GB of float32; four times that to train."""
MAX_FEATURES = 2**28
"""What the levels of encoder and decoders hold of one slice; 1 GB of float32."""
MAX_ATTENDED = 2**14
"""Pixels that full attention sees at once: it compares every two."""


def outline(config: NetworkConfig, schedule: Schedule, size: int) -> TwoStreamUNet:
    """The network without its weights (device "meta"), for a grid of `size` x `size`.

    Raises `UsageError` if it is beyond a bound of this module.
    """
    _check(f"{features(config, size):,} features a slice", features(config, size), MAX_FEATURES)
    attended = (size // config.stride) ** 2
    _check(f"attention over {attended:,} pixels (too few levels)", attended, MAX_ATTENDED)
    with torch.device("meta"):
        network = TwoStreamUNet(config, schedule, size)
    count = sum(p.numel() for p in network.parameters())
    _check(f"{count:,} parameters", count, MAX_PARAMETERS)
    return network


def features(config: NetworkConfig, size: int) -> int:
    """Numbers that the levels of the encoder and of both decoders hold of one slice."""
    side, wide = size // config.patch, 2 * config.base + (config.noise_base or config.base)
    return sum(wide * m * (side >> level) ** 2 for level, m in enumerate(config.multipliers))


def _check(what: str, found: int, most: int) -> None:
    if found > most:
        raise UsageError(
            f"a network of {what}: expected at most {most:,}. Give a smaller base or multipliers, "
            "more levels, or a smaller grid."
        )
