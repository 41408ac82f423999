"""SegResNet (Myronenko 2018, arXiv 1810.11654): a residual encoder heavier than its decoder.

MONAI's network, without the variational branch that regularises it in the paper, and without its
dropout: a resumed training must draw nothing that it did not draw before.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.one_pass import OnePass
from strokediff.util.extras import require


@dataclass(frozen=True)
class SegResNet(OnePass):
    """`filters` is the width of the finest level; it doubles with every halving of the grid."""

    filters: int
    name = method = "segresnet"
    title = "SegResNet"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """(B, 1, H, W) -> logits (B, K, H, W)."""
        check_multiple(self.name, size, 8)
        networks = require("monai.networks.nets", "train")
        network: nn.Module = networks.SegResNet(
            spatial_dims=2,
            init_filters=self.filters,
            in_channels=1,
            out_channels=kinds,
            blocks_down=(1, 2, 2, 4),
            blocks_up=(1, 1, 1),
        )
        return network


SMALL = SegResNet(filters=16)
FULL = SegResNet(filters=32)
