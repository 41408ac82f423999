"""The U-Net of improved-diffusion (Nichol and Dhariwal 2021), as both releases have it.

`UNetModel` of improved_diffusion/unet.py in tomeramit/SegDiff, and `UNetModel_newpreview` of
guided_diffusion/unet.py in SuperMedIntel/MedSegDiff, with `use_scale_shift_norm` and
`resblock_updown` off. Against `diffusion_unet`, which is the one of the papers' drawings: a skip
connection a block and halving instead of one a level, convolutions that halve and double, t added
and not scaling, and attention on chosen levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.baselines.diffusion_unet import Levels
from strokediff.networks.blocks import SelfAttention, time_features


@dataclass(frozen=True)
class ReleasedWidths(Levels):
    """Level i is base * multipliers[i] wide and has `blocks` blocks on the way down.

    Those of `attended` attend over their pixels, with `heads` heads. Every width is a multiple of
    `groups` and of the heads.
    """

    attended: tuple[int, ...]
    heads: int
    groups: int

    def skips(self) -> Iterator[int]:
        """The widths that the encoder hands to the decoder, in its order."""
        yield self.base
        for i, width in enumerate(self.levels):
            yield from [width] * (self.blocks + (i < len(self.levels) - 1))


class ReleasedTime(nn.Module):
    """t (B,) -> (B, time)."""

    def __init__(self, widths: ReleasedWidths) -> None:
        super().__init__()
        self.width = widths.base
        self.layers = nn.Sequential(
            nn.Linear(widths.base, widths.time),
            nn.SiLU(),
            nn.Linear(widths.time, widths.time),
            nn.SiLU(),
        )

    def forward(self, t: Tensor) -> Tensor:
        """Features of the time, mixed."""
        out: Tensor = self.layers(time_features(t, self.width))
        return out


class Block(nn.Module):
    """Two 3x3 convolutions with GroupNorm and SiLU, t added between; then attention if it attends.

    The last layers of both start at 0, so that a new block changes nothing.
    """

    def __init__(self, c_in: int, c_out: int, widths: ReleasedWidths, attend: bool) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(widths.groups, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.time = nn.Linear(widths.time, c_out)
        self.norm2 = nn.GroupNorm(widths.groups, c_out)
        self.conv2 = zeroed(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        self.attention = (
            SelfAttention(c_out, widths.groups, widths.heads) if attend else nn.Identity()
        )

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """(B, c_in, H, W), (B, time) -> (B, c_out, H, W)."""
        out = self.conv1(F.silu(self.norm1(h))) + self.time(emb)[:, :, None, None]
        found: Tensor = self.attention(self.skip(h) + self.conv2(F.silu(self.norm2(out))))
        return found


class Halved(nn.Conv2d):
    """A 3x3 convolution of every other pixel; t makes no difference."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, stride=2, padding=1)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C, H, W) -> (B, C, H/2, W/2)."""
        return super().forward(h)


class Doubled(nn.Conv2d):
    """Every pixel four times, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2 H, 2 W)."""
        return super().forward(F.interpolate(h, scale_factor=2.0, mode="nearest"))


class ReleasedEncoder(nn.Module):
    """Blocks at halving resolutions. The input is as wide as the first level."""

    def __init__(self, widths: ReleasedWidths) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        before = widths.base
        for i, width in enumerate(widths.levels):
            for _ in range(widths.blocks):
                parts.append(Block(before, width, widths, i in widths.attended))
                before = width
            if i < len(widths.levels) - 1:
                parts.append(Halved(width))
        self.parts = nn.ModuleList(parts)

    def forward(self, h: Tensor, emb: Tensor) -> list[Tensor]:
        """(B, base, H, W) -> itself and what every block and halving makes of it."""
        features = [h]
        for part in self.parts:
            features.append(part(features[-1], emb))
        return features


class ReleasedDecoder(nn.Module):
    """The way back up, one block more a level than on the way down; `outputs` channels."""

    def __init__(self, widths: ReleasedWidths, outputs: int) -> None:
        super().__init__()
        skips, c = [*widths.skips()], widths.levels
        before = c[-1]
        self.middle = nn.ModuleList(
            Block(before, before, widths, attend) for attend in (True, False)
        )
        self.levels, self.ups = nn.ModuleList(), nn.ModuleList()
        for i in reversed(range(len(c))):
            level = nn.ModuleList()
            for _ in range(widths.blocks + 1):
                level.append(Block(before + skips.pop(), c[i], widths, i in widths.attended))
                before = c[i]
            self.levels.append(level)
            self.ups.append(Doubled(before) if i else nn.Identity())
        self.norm = nn.GroupNorm(widths.groups, before)
        self.out = zeroed(nn.Conv2d(before, outputs, 3, padding=1))

    def forward(self, features: list[Tensor], emb: Tensor) -> Tensor:
        """What the encoder made -> (B, outputs, H, W)."""
        left, h = [*features], features[-1]
        for block in self.middle:
            h = block(h, emb)
        for level, up in zip(self.levels, self.ups, strict=True):
            for block in level:  # type: ignore[attr-defined]
                h = block(torch.cat([h, left.pop()], dim=1), emb)
            h = up(h)
        found: Tensor = self.out(F.silu(self.norm(h)))
        return found


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer, its weights 0."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
