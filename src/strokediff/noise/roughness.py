"""How rough slices are in their masks: what noise leaves, and edges and smooth shapes hardly do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

STENCIL = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))
"""Second differences across and down (Immerkaer 1996): 0 on a + b i + c j + d i j."""
OF_WHITE = 6.0
"""Their standard deviation, of white noise of standard deviation 1."""


def roughness(x: Tensor, m: Tensor, steps: Sequence[int] = (1,)) -> tuple[Tensor, Tensor]:
    """Medians of |second differences| over each of `steps` pixels, and of how many pixels.

    Slices x and masks m are (B, H, W); of each slice those pixels count all of whose neighbours,
    for every step, lie in its mask. Returns (B, steps), 0 where there are none, and (B,).

    >>> x = torch.arange(64.0).reshape(1, 8, 8)
    >>> roughness(x, torch.ones_like(x), steps=(1, 2))
    (tensor([[0., 0.]]), tensor([16]))
    """
    reach = max(steps)
    if min(x.shape[-2:]) < 2 * reach + 1:
        return x.new_zeros(len(x), len(steps)), torch.zeros(len(x), dtype=torch.long)
    stencil = torch.tensor(STENCIL, dtype=x.dtype)[None, None]
    inside = -F.max_pool2d(-m.to(x)[:, None], 2 * reach + 1, stride=1)[:, 0] > 0
    rough = []
    for step in steps:
        edge = slice(reach - step, step - reach or None)
        found = F.conv2d(x[:, None], stencil, dilation=step)[:, 0].abs()
        rough.append(found[:, edge, edge])
    medians = [
        one[:, here].median(dim=1).values if bool(here.any()) else one.new_zeros(len(steps))
        for one, here in zip(torch.stack(rough, dim=1), inside, strict=True)
    ]
    return torch.stack(medians), inside.sum((1, 2))
