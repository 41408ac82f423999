"""What a network is: its parameters, and the multiplications of one evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def network_costs(module: nn.Module, example: Sequence[Tensor]) -> dict[str, Any]:
    """`parameters`, and `gmacs`: 1e9 multiply-accumulates of one evaluation of one slice.

    `example` is one slice as the module takes it. PyTorch counts convolutions and matrix products
    (2 FLOPs each); what is done pixel by pixel is not counted.
    """
    device = next(module.parameters()).device
    training = module.training
    module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*(a.to(device) for a in example))
    module.train(training)
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "gmacs": counter.get_total_flops() / 2e9,
    }
