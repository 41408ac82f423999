"""UNETR (Hatamizadeh et al. 2022, arXiv 2103.10504): a transformer encodes, convolutions decode.

MONAI's network. The image is cut into patches of 16 x 16 pixels, the tokens of a 12-layer vision
transformer whose features after layers 3, 6, 9 and 12 are the skip connections. MONAI gives every
layer a norm for cross-attention (`norm_cross_attn`), which nothing here uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.one_pass import OnePass
from strokediff.util.extras import require

PATCH = 16


@dataclass(frozen=True)
class UNETR(OnePass):
    """`hidden`, `mlp` and `heads` size the transformer, `filters` the finest convolutions."""

    filters: int
    hidden: int
    mlp: int
    heads: int
    name = method = "unetr"
    title = "UNETR"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """(B, 1, size, size) -> logits (B, K, size, size); the positions learned fix the size."""
        check_multiple(self.name, size, PATCH)
        require("einops", "train")  # MONAI rearranges with it
        networks = require("monai.networks.nets", "train")
        network: nn.Module = networks.UNETR(
            in_channels=1,
            out_channels=kinds,
            img_size=size,
            feature_size=self.filters,
            hidden_size=self.hidden,
            mlp_dim=self.mlp,
            num_heads=self.heads,
            spatial_dims=2,
        )
        return network


SMALL = UNETR(filters=8, hidden=96, mlp=384, heads=12)
FULL = UNETR(filters=16, hidden=768, mlp=3072, heads=12)
