"""The plain U-Net: MONAI's BasicUNet on single slices, Dice plus cross-entropy, no diffusion."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from strokediff.extras import require

FEATURES = (16, 32, 64, 112, 192, 16)
"""As many parameters as the `tiny` two-stream network: 1.35 million."""


def build_unet(features: tuple[int, ...] = FEATURES) -> nn.Module:
    """(B, 1, H, W) -> logits (B, 1, H, W); H and W are multiples of 16."""
    networks = require("monai.networks.nets", "train")
    unet: nn.Module = networks.BasicUNet(
        spatial_dims=2, in_channels=1, out_channels=1, features=features
    )
    return unet


class PlainTask:
    """Segmentation without diffusion: one pass from slice to logits."""

    method = "unet"
    noise = None

    def __init__(self) -> None:
        losses = require("monai.losses", "train")
        self.loss = losses.DiceCELoss(sigmoid=True, batch=True)

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Dice plus cross-entropy inside the brain, under "loss"."""
        m = batch["m"]
        logits = module(batch["x"] * m)
        # Far outside the brain the answer is given, so it must not pull on the loss.
        inside = logits.float() * m - 20.0 * (1 - m)
        return {"loss": self.loss(inside, (batch["y"] > 0).float() * m)}

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """2 p - 1 inside the brain, so that 0 is the threshold; -1 outside."""
        return (2.0 * module(x_0[:, :1]).float().sigmoid() - 1.0) * m - (1.0 - m)
