"""SegDiff (Amit et al. 2021, arXiv 2112.00390): mask and image encoded apart and summed.

Section "Method": eps_theta(x_t, I, t) = D(E(F(x_t) + G(I), t), t). F is one convolution, G a stack
of residual-in-residual dense blocks, E and D a U-Net with attention. In our names x_t is y_t and I
is x. The label is the mean over several samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.diffusion_unet import LabelDecoder, LabelEncoder, TimeEmbedding, Widths
from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion

RESIDUAL = 0.2
"""What a dense block, and a block of three, is scaled by before it is added to its input."""


@dataclass(frozen=True)
class ImageWidths:
    """The size of G: `blocks` blocks that are `width` wide, their dense layers `growth`."""

    width: int
    growth: int
    blocks: int


class DenseBlock(nn.Module):
    """Five convolutions, each seeing all before it; residual (ESRGAN, Wang et al. 2018, Fig. 4)."""

    def __init__(self, sizes: ImageWidths) -> None:
        super().__init__()
        c, g = sizes.width, sizes.growth
        self.layers = nn.ModuleList(
            nn.Conv2d(c + i * g, g if i < 4 else c, 3, padding=1) for i in range(5)
        )

    def forward(self, h: Tensor) -> Tensor:
        """(B, width, H, W) -> the same shape."""
        seen = h
        for layer in self.layers[:-1]:
            seen = torch.cat([seen, F.leaky_relu(layer(seen), 0.2)], dim=1)
        found: Tensor = h + RESIDUAL * self.layers[-1](seen)
        return found


class ImageEncoder(nn.Module):
    """G: the image's features at full resolution, (B, 1, H, W) -> (B, c_out, H, W)."""

    def __init__(self, sizes: ImageWidths, c_out: int) -> None:
        super().__init__()
        c = sizes.width
        self.first = nn.Conv2d(1, c, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(DenseBlock(sizes) for _ in range(3))) for _ in range(sizes.blocks)
        )
        self.trunk = nn.Conv2d(c, c, 3, padding=1)
        self.last = nn.Sequential(
            nn.Conv2d(c, c, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(c, c_out, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The sum of a shallow and a deep reading of the image, mapped to c_out channels."""
        first = h = self.first(x)
        for block in self.blocks:
            h = h + RESIDUAL * block(h)
        found: Tensor = self.last(first + self.trunk(h))
        return found


class SegDiffNetwork(Denoiser):
    """D(E(F(y_t) + G(x), t), t)."""

    mask_encoder: nn.Module
    image_encoder: nn.Module
    time: nn.Module
    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, widths: Widths, image: ImageWidths, kinds: int = 1) -> None:
        super().__init__(kinds)
        self.mask_encoder = nn.Conv2d(kinds, widths.levels[0], 3, padding=1)
        self.image_encoder = ImageEncoder(image, widths.levels[0])
        self.time = TimeEmbedding(widths)
        self.encoder = LabelEncoder(widths)
        self.decoder = LabelDecoder(widths, kinds)

    def guide(self, x: Tensor) -> Tensor:
        """G(x), (B, base, H, W)."""
        found: Tensor = self.image_encoder(x)
        return found

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor) -> Tensor:
        """eps_hat (B, K, H, W)."""
        emb = self.time(t)
        found: Tensor = self.decoder(self.encoder(self.mask_encoder(y_t) + guide, emb), emb)
        return found


@dataclass(frozen=True)
class SegDiff(LabelDiffusion):
    """By default the paper's inference: the mean of 9 samples of T = 100 steps."""

    widths: Widths
    image: ImageWidths
    T: int = 100
    steps: int = 100
    samples: int = 9
    quick_steps: int = 5
    seed: int = 0
    name = method = "segdiff"
    title = "SegDiff"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """A `SegDiffNetwork`."""
        check_multiple(self.name, size, self.widths.stride)
        return SegDiffNetwork(self.widths, self.image, kinds)

    def seeded(self, seed: int) -> SegDiff:
        """The same, t and noise of its training fixed by `seed`."""
        return replace(self, seed=seed)

    def fuse(self, samples: Tensor, m: Tensor) -> Tensor:
        """The mean over the samples."""
        return samples.mean(dim=0)


SMALL = SegDiff(
    widths=Widths(base=16, multipliers=(1, 2, 4, 8), blocks=1, attentive=1, groups=4),
    image=ImageWidths(width=16, growth=8, blocks=1),
    steps=10,
)
"""Few channels; 9 samples by 10 of the 100 steps each, so that a CPU can predict with it."""

FULL = SegDiff(
    widths=Widths(base=128, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attentive=2, groups=32),
    image=ImageWidths(width=64, growth=32, blocks=12),
)
"""The widths of the released code at 256 pixels, with the 12 blocks of its medical example."""
