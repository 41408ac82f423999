"""The plain U-Net (Ronneberger et al. 2015): MONAI's BasicUNet on single slices."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.one_pass import OnePass
from strokediff.util.extras import require

FEATURES = (16, 32, 64, 112, 192, 16)
"""As many parameters as the `tiny` two-stream network: 1.35 million."""


@dataclass(frozen=True)
class UNet(OnePass):
    """`features` are the widths of the five levels, finest first, and of the last upsampling."""

    features: tuple[int, ...] = FEATURES
    name = method = "unet"
    title = "U-Net"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """(B, 1, H, W) -> logits (B, K, H, W)."""
        check_multiple(self.name, size, 16)
        networks = require("monai.networks.nets", "train")
        unet: nn.Module = networks.BasicUNet(
            spatial_dims=2, in_channels=1, out_channels=kinds, features=self.features
        )
        return unet


SMALL = UNet()
FULL = UNet(features=(64, 128, 256, 512, 1024, 64))
