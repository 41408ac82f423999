"""The U-Net of the label diffusions: residual blocks that know t, attention where it is coarse.

After improved-diffusion (Nichol and Dhariwal 2021), which both methods build on, with one skip
connection a level instead of one a block, on the blocks of the two-stream network. As they were
released it is `released_unet`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.networks.blocks import ResBlock, SelfAttention, time_features


@dataclass(frozen=True)
class Levels:
    """The levels of a U-Net: level i is base * multipliers[i] wide and has `blocks` blocks."""

    base: int
    multipliers: tuple[int, ...]
    blocks: int

    @property
    def levels(self) -> list[int]:
        """The width of every level, finest first."""
        return [self.base * m for m in self.multipliers]

    @property
    def time(self) -> int:
        """The width of the embedding of t."""
        return 4 * self.base

    @property
    def stride(self) -> int:
        """The sides of the grid must be multiples of this."""
        return 1 << (len(self.multipliers) - 1)


@dataclass(frozen=True)
class Widths(Levels):
    """The size of a U-Net here.

    The `attentive` coarsest levels attend over their pixels. Every width is a multiple of `groups`
    and of attention's 4 heads.
    """

    attentive: int
    groups: int

    def attends(self, level: int) -> bool:
        """Whether a level has attention."""
        return level >= len(self.multipliers) - self.attentive


class TimeEmbedding(nn.Module):
    """t (B,) -> (B, time)."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        c = self.width = widths.time
        self.layers = nn.Sequential(nn.Linear(c, c), nn.SiLU(), nn.Linear(c, c), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        """Features of the time, mixed."""
        out: Tensor = self.layers(time_features(t, self.width))
        return out


class Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention if the level attends."""

    def __init__(self, c_in: int, c_out: int, widths: Widths, attend: bool) -> None:
        super().__init__()
        inputs = [c_in, *[c_out] * (widths.blocks - 1)]
        self.blocks = nn.ModuleList(ResBlock(c, c_out, widths.time, widths.groups) for c in inputs)
        self.attention = nn.ModuleList(
            SelfAttention(c_out, widths.groups) if attend else nn.Identity() for _ in inputs
        )

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """(B, c_in, H, W), (B, time) -> (B, c_out, H, W)."""
        for block, attend in zip(self.blocks, self.attention, strict=True):
            h = attend(block(h, emb))
        return h


class LabelEncoder(nn.Module):
    """Levels at halving resolutions. The input is as wide as the first level."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        c = widths.levels
        self.levels = nn.ModuleList(
            Level(a, b, widths, widths.attends(i))
            for i, (a, b) in enumerate(zip([c[0], *c[:-1]], c, strict=True))
        )

    def __len__(self) -> int:
        return len(self.levels)

    def level(self, i: int, h: Tensor, emb: Tensor) -> Tensor:
        """Features of level i from those of the level before, which are halved first."""
        found: Tensor = self.levels[i](F.avg_pool2d(h, 2) if i else h, emb)
        return found

    def forward(self, h: Tensor, emb: Tensor) -> list[Tensor]:
        """(B, base, H, W) -> the features of every level, finest first."""
        features = []
        for i in range(len(self)):
            h = self.level(i, h, emb)
            features.append(h)
        return features


class LabelDecoder(nn.Module):
    """The way back up, and the last convolution, to a channel a kind of lesion."""

    def __init__(self, widths: Widths, kinds: int = 1) -> None:
        super().__init__()
        c = widths.levels
        self.middle = nn.ModuleList(
            ResBlock(c[-1], c[-1], widths.time, widths.groups) for _ in range(2)
        )
        self.attention = SelfAttention(c[-1], widths.groups)
        finer = range(len(c) - 2, -1, -1)
        self.levels = nn.ModuleList(
            Level(c[i + 1] + c[i], c[i], widths, widths.attends(i)) for i in finer
        )
        self.norm = nn.GroupNorm(widths.groups, c[0])
        self.out = nn.Conv2d(c[0], kinds, 3, padding=1)

    def forward(self, features: list[Tensor], emb: Tensor) -> Tensor:
        """The features of every level, finest first -> (B, K, H, W)."""
        h = self.middle[1](self.attention(self.middle[0](features[-1], emb)), emb)
        for level, skip in zip(self.levels, features[-2::-1], strict=True):
            up = F.interpolate(h, scale_factor=2.0, mode="nearest")
            h = level(torch.cat([up, skip], dim=1), emb)
        found: Tensor = self.out(F.silu(self.norm(h)))
        return found
