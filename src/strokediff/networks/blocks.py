"""The parts of the two-stream U-Net."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.networks.config import HEADS


def time_features(t: Tensor, dim: int, max_period: float = 10_000.0) -> Tensor:
    """Sinusoidal features of t (B,) -> (B, dim), as in Transformers and DDPM; dim is even."""
    half = dim // 2
    rates = torch.exp(
        -math.log(max_period) * torch.arange(half, device=t.device, dtype=torch.float32) / half
    )
    angle = t.float()[:, None] * rates
    return torch.cat([angle.cos(), angle.sin()], dim=1)


class ResBlock(nn.Module):
    """Two 3x3 convolutions with GroupNorm and SiLU; the time embedding scales and shifts."""

    def __init__(self, c_in: int, c_out: int, c_time: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.time = nn.Linear(c_time, 2 * c_out)
        self.norm2 = nn.GroupNorm(groups, c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """(B, c_in, H, W), (B, c_time) -> (B, c_out, H, W)."""
        scale, shift = self.time(emb)[:, :, None, None].chunk(2, dim=1)
        out = self.conv1(F.silu(self.norm1(h)))
        out = self.norm2(out) * (1 + scale) + shift
        found: Tensor = self.skip(h) + self.conv2(F.silu(out))
        return found


class Attention(nn.Module):
    """What full and linear attention share; the last layer starts at 0, so h passes unchanged."""

    def __init__(self, channels: int, groups: int, heads: int = HEADS) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]


class SelfAttention(Attention):
    """Full multi-head self-attention over the pixels, residual."""

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        b, c, height, width = h.shape
        q, k, v = (
            part.reshape(b, self.heads, c // self.heads, height * width).transpose(2, 3)
            for part in self.qkv(self.norm(h)).chunk(3, dim=1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        found: Tensor = h + self.out(mixed.transpose(2, 3).reshape(b, c, height, width))
        return found


class LinearAttention(Attention):
    """Attention with softmax on queries and keys apart: cost linear in pixels; residual."""

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        b, c, height, width = h.shape
        q, k, v = (
            part.reshape(b * self.heads, c // self.heads, height * width)
            for part in self.qkv(self.norm(h)).chunk(3, dim=1)
        )
        context = torch.bmm(k.softmax(dim=2), v.transpose(1, 2))
        mixed = torch.bmm(context.transpose(1, 2), q.softmax(dim=1))
        found: Tensor = h + self.out(mixed.reshape(b, c, height, width))
        return found


class PooledAttention(nn.Module):
    """Self-attention at the head of the label stream, computed at reduced resolution.

    SDPM section 2.2 appends it before the frozen convolution. Features are averaged over
    `factor` x `factor` pixels, attended, and what attention changed is added back.
    """

    def __init__(self, channels: int, groups: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.attention = SelfAttention(channels, groups)

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape; H and W are multiples of the factor."""
        small = F.avg_pool2d(h, self.factor)
        change = self.attention(small) - small
        return h + F.interpolate(change, scale_factor=self.factor, mode="nearest")


class FrozenOnesFilter(nn.Module):
    """The frozen all-ones convolution: drops positive pixels that have no company.

    A positive pixel is kept when its kernel x kernel window holds more than `threshold`
    positives, itself included.
    """

    ones: Tensor

    def __init__(self, kernel: int = 7, threshold: int = 1) -> None:
        super().__init__()
        self.threshold = threshold
        self.register_buffer("ones", torch.ones(1, 1, kernel, kernel), persistent=False)

    def forward(self, mask: Tensor) -> Tensor:
        """Binary (B, 1, H, W) -> binary, the same dtype."""
        positive = mask > 0
        count = F.conv2d(positive.float(), self.ones, padding=self.ones.shape[-1] // 2)
        return mask * (count > self.threshold).to(mask.dtype)
