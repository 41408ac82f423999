"""What a network is: its parameters, and the multiplications of one evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion
from strokediff.training.tasks import Task


def network_costs(task: Task, module: nn.Module, size: int) -> dict[str, Any]:
    """`parameters`, and `gmacs`: 1e9 multiply-accumulates of one evaluation of one slice.

    PyTorch counts convolutions and matrix products (2 FLOPs each); what is done pixel by pixel is
    not counted. What a method computes once for many evaluations is spread over them, so that
    `gmacs` times the evaluations is the cost of a slice.
    """
    device = next(module.parameters()).device
    example = [a.to(device) for a in task.example(size)]
    if isinstance(module, Denoiser):
        example[0] = example[0].expand(-1, module.kinds, -1, -1)
    training = module.training
    module.eval()
    macs = gmacs(module, example)
    if isinstance(task, LabelDiffusion):
        once: Any = module.guide
        macs -= gmacs(once, [example[1]]) * (1 - task.views() / task.evaluations())
    module.train(training)
    return {"parameters": sum(p.numel() for p in module.parameters()), "gmacs": macs}


@torch.no_grad()
def gmacs(function: Callable[..., Tensor], arguments: Sequence[Tensor]) -> float:
    """1e9 multiply-accumulates of one call, as `network_costs` counts them."""
    # Attention in one kernel is counted on some devices and not on others.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        function(*arguments)
    return float(counter.get_total_flops()) / 2e9
