"""UNet++ (Zhou et al. 2018, arXiv 1807.10165): nested, densely connected skip pathways.

MONAI's BasicUNetPlusPlus. The papers compare with it as "nnUNet++", implemented in MONAI.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.one_pass import OnePass
from strokediff.util.extras import require


@dataclass(frozen=True)
class UNetPlusPlus(OnePass):
    """`features` are the widths of the five levels, finest first, and of the last node X^(0,4).

    Deep supervision (section "Deep supervision" of the paper): the loss is the mean over the four
    full-resolution nodes X^(0,1) to X^(0,4), and so is the probability, its "accurate mode".
    """

    features: tuple[int, ...]
    name = method = "unet++"
    title = "nnUNet++"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """(B, 1, H, W) -> four logits (B, K, H, W)."""
        check_multiple(self.name, size, 16)
        networks = require("monai.networks.nets", "train")
        network: nn.Module = networks.BasicUNetPlusPlus(
            spatial_dims=2,
            in_channels=1,
            out_channels=kinds,
            features=self.features,
            deep_supervision=True,
        )
        return network

    def outputs(self, module: nn.Module, x: Tensor) -> list[Tensor]:
        """The four nodes, each as good as the others."""
        found: list[Tensor] = module(x)
        return found

    def probability(self, outputs: list[Tensor]) -> Tensor:
        """The mean of the four nodes' probabilities."""
        return torch.stack([logits.float().sigmoid() for logits in outputs]).mean(dim=0)


SMALL = UNetPlusPlus(features=(8, 16, 32, 96, 192, 8))
FULL = UNetPlusPlus(features=(32, 64, 128, 256, 512, 32))
