"""The nnU-Net (Isensee et al. 2021, Nature Methods 18:203): MONAI's DynUNet, deeply supervised.

The architecture that nnU-Net's 2D planner would choose, in the project's pipeline; nnU-Net's own
preprocessing, augmentation, optimiser and ensembling are not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from strokediff.baselines.one_pass import OnePass
from strokediff.errors import UsageError
from strokediff.util.extras import require

MIN_SIDE = 4
"""nnU-Net's planner halves the grid as long as no side falls below 4 pixels."""

MAX_STAGES = 7
MIN_STAGES = 4
"""Three outputs to supervise take as many."""

ALIASES = ("input_block", "downsamples", "bottleneck", "upsamples", "deep_supervision_heads")


@dataclass(frozen=True)
class DynUNet(OnePass):
    """`filters` is the width of the finest stage; it doubles with every stage up to `most`."""

    filters: int
    most: int
    name = method = "nnu-net"
    title = "nnUNet"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """(B, 1, H, W) -> logits (B, K, H, W); in training mode (B, outputs, K, H, W)."""
        n = stages(size)
        strides = (1, *(2,) * (n - 1))
        networks = require("monai.networks.nets", "train")
        network: nn.Module = networks.DynUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=kinds,
            kernel_size=(3,) * n,
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=[min(self.filters * 2**stage, self.most) for stage in range(n)],
            deep_supervision=True,
            deep_supr_num=n - 3,
        )
        # MONAI registers each block twice, and a file of weights holds a tensor once.
        for alias in ALIASES:
            delattr(network, alias)
        return network

    def outputs(self, module: nn.Module, x: Tensor) -> list[Tensor]:
        """Finest first, brought to full size by MONAI, where nnU-Net shrinks the reference."""
        found: Tensor = module(x)
        return list(found.unbind(dim=1)) if found.ndim == 5 else [found]

    def weights(self, outputs: int) -> list[float]:
        """Proportional to 1, 1/2, 1/4, ..., as nnU-Net has it; the sum is 1.

        Of the two coarsest stages nnU-Net supervises none, and neither do we.
        """
        shares = [0.5**level for level in range(outputs)]
        return [share / sum(shares) for share in shares]


def stages(size: int) -> int:
    """How many resolutions nnU-Net's 2D planner takes for a square of that side, at most 7."""
    n, side = 1, size
    while side % 2 == 0 and side >= 2 * MIN_SIDE and n < MAX_STAGES:
        n, side = n + 1, side // 2
    if n < MIN_STAGES:
        raise UsageError(
            f"'nnu-net' halves the grid {MIN_STAGES - 1} times at least, and {size} pixels cannot "
            "be. Prepare the cohort on another grid, for example 96, 192, 224 or 448."
        )
    return n


SMALL = DynUNet(filters=16, most=192)
FULL = DynUNet(filters=32, most=512)
