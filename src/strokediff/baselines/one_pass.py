"""What the networks that segment in one pass share: their loss and how logits become a label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any, Self

import torch
from torch import Tensor, nn

from strokediff.baselines.base import in_brain
from strokediff.inference.mirrored import LEFT_RIGHT
from strokediff.util.extras import require

OUTSIDE = -20.0
"""The logit outside the brain: there the answer is given, so it must not pull on the loss."""


class OnePass(ABC):
    """From slice to logits, trained with Dice plus cross-entropy inside the brain.

    A network with deep supervision has several outputs, the one that counts first; `weights` says
    how much each weighs in the loss.
    """

    name: str
    title: str
    method: str
    noise = None

    @abstractmethod
    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """The untrained network for slices of size x size, logits of K kinds of lesion."""

    def seeded(self, seed: int) -> Self:
        """Nothing is drawn, so the seed makes no difference."""
        return self

    def example(self, size: int) -> tuple[Tensor, ...]:
        """One slice (1, 1, size, size)."""
        return (torch.zeros(1, 1, size, size),)

    def outputs(self, module: nn.Module, x: Tensor) -> list[Tensor]:
        """Logits (S, K, H, W) of every output for slices (S, 1, H, W)."""
        return [module(x)]

    def weights(self, outputs: int) -> list[float]:
        """What each output weighs in the loss; the sum is 1."""
        return [1.0 / outputs] * outputs

    def probability(self, outputs: list[Tensor]) -> Tensor:
        """The chance of each kind of lesion, (S, K, H, W)."""
        return outputs[0].float().sigmoid()

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Dice plus cross-entropy inside the brain, weighted over the outputs, under "loss"."""
        m = batch["m"]
        found = self.outputs(module, batch["x"] * m)
        terms = zip(self.weights(len(found)), found, strict=True)
        weighted = [weight * dice_ce(logits, batch["y"], m) for weight, logits in terms]
        return {"loss": torch.stack(weighted).sum()}

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """2 p - 1 inside the brain, so that 0 is the threshold; -1 outside."""
        return in_brain(2.0 * self.probability(self.outputs(module, x_0[:, :1] * m)) - 1.0, m)

    @torch.inference_mode()
    def predict(self, module: nn.Module, x: Tensor, m: Tensor, seeds: Sequence[int]) -> Tensor:
        """The mean over the slice and its mirror image, as SDPM's estimates have it.

        Nothing is drawn, so the seeds make no difference.
        """
        mirrored = self.label(module, x.flip(LEFT_RIGHT), m.flip(LEFT_RIGHT)).flip(LEFT_RIGHT)
        return (self.label(module, x, m) + mirrored) / 2

    def evaluations(self) -> int:
        """One for each of two views."""
        return 2


def dice_ce(logits: Tensor, y: Tensor, m: Tensor) -> Tensor:
    """Dice plus cross-entropy of logits and a label y in {-1, +1} (B, K, H, W), m (B, 1, H, W).

    Dice is taken over the whole batch, so that slices without lesion do no harm. Cross-entropy is
    a mean over the whole slice, 0 outside m: a brain that fills a fifth of it weighs a fifth. The
    mean over kinds, each a question of its own: MONAI's loss of several channels has them compete.
    """
    inside = logits.float() * m + OUTSIDE * (1 - m)
    pairs = zip(inside.split(1, dim=1), ((y > 0).float() * m).split(1, dim=1), strict=True)
    return torch.stack([_dice_ce()(found, true) for found, true in pairs]).mean()


@cache
def _dice_ce() -> Any:
    return require("monai.losses", "train").DiceCELoss(sigmoid=True, batch=True)
