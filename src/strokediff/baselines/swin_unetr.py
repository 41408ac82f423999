"""SwinUNETR (Hatamizadeh et al. 2022, arXiv 2201.01266): UNETR on a Swin transformer.

MONAI's network: patches of 2 x 2 pixels, four stages of two blocks whose attention stays in
windows of 7 x 7 tokens, shifted in every second block.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.one_pass import OnePass
from strokediff.util.extras import require


@dataclass(frozen=True)
class SwinUNETR(OnePass):
    """`filters` is the embedding's width C, a multiple of 12; it doubles with every stage."""

    filters: int
    name = method = "swin-unetr"
    title = "SwinUNETR"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """(B, 1, H, W) -> logits (B, K, H, W)."""
        check_multiple(self.name, size, 32)
        require("einops", "train")  # MONAI rearranges with it
        networks = require("monai.networks.nets", "train")
        network: nn.Module = networks.SwinUNETR(
            in_channels=1, out_channels=kinds, feature_size=self.filters, spatial_dims=2
        )
        return network


SMALL = SwinUNETR(filters=12)
FULL = SwinUNETR(filters=48)
