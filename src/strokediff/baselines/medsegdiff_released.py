"""MedSegDiff as its authors released it: https://github.com/SuperMedIntel/MedSegDiff (formerly
WuJunde/MedSegDiff) at commit b4aee37, the version that it runs unless asked (`--version new`).

Against the paper, whose two encoders, FF-Parser and dynamic encoding it does not use:

    condition   image and noisy mask concatenated; a U-Net on the image alone, whose features are
                added to the first layer and whose mask is trained (`UNetModel_newpreview.forward`)
    sigma       learned, v beside eps_hat, by the variational bound
    label       0 and 1, not -1 and 1 (`training_losses_segmentation` of gaussian_diffusion.py)
    loss        |eps_hat - eps|^2 + L_t + 10 |mask - y_0|^2 (`forward_backward` of train_util.py)
    chain       all of T = 1000 steps, y_0_hat clipped to [-1, 1] (scripts/segmentation_sample.py)
    answer      `staple` of guided_diffusion/utils.py over 5 samples, which is the mean squared

Its training (AdamW, 1e-4 or 5e-5, weights averaged at 0.9999 a step, about 100,000 steps of 8) is
the budget's here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.baselines.base import check_multiple, in_brain_mean
from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion
from strokediff.baselines.medsegdiff_head import HeadWidths, Highway
from strokediff.baselines.released_unet import (
    ReleasedDecoder,
    ReleasedEncoder,
    ReleasedTime,
    ReleasedWidths,
)
from strokediff.baselines.reverse import LearnedRange
from strokediff.baselines.variational import variational_bits
from strokediff.core.seeds import derive_seed
from strokediff.training.samples import sample_seeds

HEAD_WEIGHT = 10.0


class MedSegDiffReleasedNetwork(Denoiser):
    """One U-Net of image and mask together, and the highway on the image alone."""

    def __init__(self, widths: ReleasedWidths, head: HeadWidths, kinds: int = 1) -> None:
        super().__init__(kinds)
        self.stem = nn.Conv2d(1 + kinds, widths.base, 3, padding=1)
        self.highway = Highway(head, kinds)
        self.time = ReleasedTime(widths)
        self.encoder = ReleasedEncoder(widths)
        self.decoder = ReleasedDecoder(widths, 2 * kinds)

    def guide(self, x: Tensor) -> Tensor:
        """The image's share of the first layer, and the anchors, which it does not train."""
        return self._guided(x)[0]

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor) -> Tensor:
        """eps_hat and v, (B, 2 K, H, W)."""
        emb = self.time(t)
        h = F.conv2d(y_t, self.stem.weight[:, 1:], padding=1) + guide
        found: Tensor = self.decoder(self.encoder(h, emb), emb)
        return found

    def forward(self, y_t: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """eps_hat, v and the highway's mask, (B, 3 K, H, W)."""
        guide, mask = self._guided(x)
        return torch.cat([self.denoise(y_t, guide, t).float(), mask], dim=1)

    def _guided(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # A convolution of image and mask together is the sum of one of each: the image's is made
        # once a slice.
        anchors, mask = self.highway(x)
        image = F.conv2d(x, self.stem.weight[:, :1], self.stem.bias, padding=1)
        return image + anchors.detach(), mask


@dataclass(frozen=True)
class MedSegDiffReleased(LabelDiffusion):
    """By default its inference: 5 samples of all T = 1000 steps.

    Its DPM-Solver of 50 steps is an option there and not here.
    """

    widths: ReleasedWidths
    head: HeadWidths
    T: int = 1000
    steps: int = 1000
    samples: int = 5
    quick_steps: int = 10
    seed: int = 0
    name = method = "medsegdiff-released"
    title = "MedSegDiff as released"
    reverse = LearnedRange()

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """A `MedSegDiffReleasedNetwork`."""
        check_multiple(self.name, size, max(self.widths.stride, self.head.stride))
        return MedSegDiffReleasedNetwork(self.widths, self.head, kinds)

    def seeded(self, seed: int) -> MedSegDiffReleased:
        """The same; t, noise and dropout of its training fixed by `seed`."""
        return replace(self, seed=seed)

    def own_scale(self, y_0: Tensor) -> Tensor:
        """0 and 1."""
        return (y_0 + 1) / 2

    def shown(self, drawn: Tensor) -> Tensor:
        """2 y - 1, clipped: the chain may go down to -1, which is no less lesion than 0."""
        return (2 * drawn - 1).clamp(-1, 1)

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Means inside the brain and over kinds of the noise's error, the bound and the mask's."""
        drawn, m = self.noised(batch), batch["m"]
        numbers = sample_seeds(self.seed, batch["number"], "dropout")
        with seeded(derive_seed(*numbers), m.device):
            found = module(drawn.y_t, batch["x"] * m, drawn.t.to(m.device)).float()
        eps_hat, v, mask = found.chunk(3, dim=1)
        answer = torch.cat([eps_hat, v], dim=1)
        bits = variational_bits(self.process, drawn.y_0, drawn.y_t, answer, drawn.t)
        terms = {
            "noise": in_brain_mean((eps_hat - drawn.eps).square(), m),
            "bound": in_brain_mean(bits, m),
            "mask": HEAD_WEIGHT * in_brain_mean((mask - drawn.y_0).square(), m),
        }
        return {**terms, "loss": torch.stack([*terms.values()]).sum()}

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """One short chain, without dropout and by the average statistics of batches."""
        training = module.training
        module.eval()
        try:
            return super().label(module, x_0, m)
        finally:
            module.train(training)

    def fuse(self, samples: Tensor, m: Tensor) -> Tensor:
        """p = (the mean over the samples)^2: four of five must agree for one half."""
        return 2 * self.own_scale(samples).mean(dim=0).square() - 1


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """What layers draw inside derives from `seed`, and nothing else notices."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


SMALL = MedSegDiffReleased(
    widths=ReleasedWidths(
        base=16, multipliers=(1, 2, 3, 4), blocks=2, attended=(2,), heads=1, groups=4
    ),
    head=HeadWidths(base=4, pools=3),
    steps=10,
)
"""The release's levels and attention at 64 pixels, few channels; 5 samples by 10 of 1000 steps."""

FULL = MedSegDiffReleased(
    widths=ReleasedWidths(
        base=128, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attended=(4,), heads=1, groups=32
    ),
    head=HeadWidths(base=32, pools=5),
)
"""The sizes that its README recommends, at 256 pixels."""
