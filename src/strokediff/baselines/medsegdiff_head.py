"""MedSegDiff's "highway": nnU-Net's U-Net on the image alone, `Generic_UNet` of
guided_diffusion/unet.py in SuperMedIntel/MedSegDiff, as `UNetModel_newpreview` makes it.

It gives a mask, which is trained, and features of its two next-finest resolutions ("anchors"),
which the diffusion's first layer is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDEST = 480
SLOPE = 0.01


@dataclass(frozen=True)
class HeadWidths:
    """`base` channels, twice as many at each of `pools` halvings; `dropout` of channels."""

    base: int
    pools: int
    dropout: float = 0.5

    @property
    def levels(self) -> list[int]:
        """The width of every resolution, the finest and its halvings."""
        return [min(self.base << i, WIDEST) for i in range(self.pools + 1)]

    @property
    def stride(self) -> int:
        """The sides of the grid must be multiples of this."""
        return 1 << self.pools


class Convolution(nn.Sequential):
    """Convolution, dropout of whole channels, batch normalisation, leaky ReLU.

    The release's convolution has a bias, which the normalisation takes away again.
    """

    def __init__(self, c_in: int, c_out: int, dropout: float = 0.0) -> None:
        own = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(own.weight, a=SLOPE)
        dropped: nn.Module = nn.Dropout2d(dropout) if dropout else nn.Identity()
        super().__init__(own, dropped, nn.BatchNorm2d(c_out), nn.LeakyReLU(SLOPE))


class Highway(nn.Module):
    """x (B, 1, H, W) -> anchors (B, 4 base, H, W) and the probability of each kind (B, K, H, W)."""

    def __init__(self, widths: HeadWidths, kinds: int = 1) -> None:
        super().__init__()
        c, p = widths.levels, widths.dropout
        self.down = nn.ModuleList(
            nn.Sequential(Convolution(before, own, p), Convolution(own, own, p))
            for before, own in zip([1, *c], c[:-1], strict=False)
        )
        self.bottom = nn.Sequential(Convolution(c[-2], c[-1], p), Convolution(c[-1], c[-2], p))
        self.up = nn.ModuleList(
            nn.Sequential(Convolution(2 * c[i], c[i]), Convolution(c[i], c[max(i - 1, 0)]))
            for i in reversed(range(widths.pools))
        )
        self.out = nn.Conv2d(c[0], kinds, 1, bias=False)
        nn.init.kaiming_normal_(self.out.weight, a=SLOPE)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The anchors: half resolution twice, then a quarter, each brought back to full."""
        skips, ups = [], []
        for level in self.down:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for level, skip in zip(self.up, reversed(skips), strict=True):
            x = level(torch.cat([enlarged(x, 2), skip], dim=1))
            ups.append(x)
        half, quarter = enlarged(ups[-2], 2), enlarged(ups[-3], 4)
        return torch.cat([half, half, quarter], dim=1), self.out(x).float().sigmoid()


def enlarged(h: Tensor, times: int) -> Tensor:
    """Bilinearly, `times` as high and wide."""
    return F.interpolate(h, scale_factor=float(times), mode="bilinear", align_corners=False)
