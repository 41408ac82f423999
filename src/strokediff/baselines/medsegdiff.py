"""MedSegDiff (Wu et al. 2022, arXiv 2211.00611): image features that follow the current mask.

In our names its x_t is y_t and I is x. At every level k of two encoders, one for the mask and one
for the image:

    m_x' = FF-Parser(m_x)                             section on the FF-Parser
    m_I' = (LN(m_I) * LN(m_x')) * m_I                 section on dynamic conditional encoding

and one decoder sees the sum, eps_theta = D(E_t^I + E_t^x, t). The label is STAPLE's of the samples.
This is the paper's; the released code is another method, `medsegdiff_released`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.diffusion_unet import LabelDecoder, LabelEncoder, TimeEmbedding, Widths
from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion
from strokediff.inference.fusion import Staple


class FFParser(nn.Module):
    """Feature frequency parser: M = F[m], M' = A * M, m' = F^-1[M'], with a learned map A.

    F is the 2D Fourier transform and A complex, one value a channel and frequency; at A = 1, where
    it starts, nothing changes.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        shape = (channels, side, side // 2 + 1)
        self.real = nn.Parameter(torch.ones(shape))
        self.imaginary = nn.Parameter(torch.zeros(shape))

    def forward(self, h: Tensor) -> Tensor:
        """(B, channels, side, side) -> the same shape, in float32: no half-precision transform."""
        spectrum = torch.fft.rfft2(h.float(), norm="ortho")
        filtered = spectrum * torch.complex(self.real, self.imaginary)
        found: Tensor = torch.fft.irfft2(filtered, s=h.shape[-2:], norm="ortho")
        return found


def attentive(image: Tensor, mask: Tensor) -> Tensor:
    """(LN(image) * LN(mask)) * image: image features where the current mask's agree.

    LN normalises each sample over channels and pixels, (C, H, W).
    """
    a, b = (F.layer_norm(features, features.shape[1:]) for features in (image, mask))
    return a * b * image


class MedSegDiffNetwork(Denoiser):
    """Two encoders that meet at every level, one decoder."""

    def __init__(self, widths: Widths, size: int, kinds: int = 1) -> None:
        super().__init__(kinds)
        c = widths.levels
        self.time = TimeEmbedding(widths)
        self.mask_stem = nn.Conv2d(kinds, c[0], 3, padding=1)
        self.image_stem = nn.Conv2d(1, c[0], 3, padding=1)
        self.mask_encoder = LabelEncoder(widths)
        self.image_encoder = LabelEncoder(widths)
        self.parsers = nn.ModuleList(FFParser(width, size >> i) for i, width in enumerate(c))
        self.decoder = LabelDecoder(widths, kinds)

    def guide(self, x: Tensor) -> Tensor:
        """The image's first convolution: what follows depends on the mask."""
        found: Tensor = self.image_stem(x)
        return found

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor) -> Tensor:
        """eps_hat (B, K, H, W)."""
        emb = self.time(t)
        mask, image, features = self.mask_stem(y_t), guide, []
        for i, parser in enumerate(self.parsers):
            mask = parser(self.mask_encoder.level(i, mask, emb))
            image = self.image_encoder.level(i, image, emb)
            image = attentive(image, mask)
            features.append(mask + image)
        found: Tensor = self.decoder(features, emb)
        return found


@dataclass(frozen=True)
class MedSegDiff(LabelDiffusion):
    """By default STAPLE over 5 samples of 100 of T = 1000 steps.

    5 samples is what the released code recommends for its basic model (25 for the largest); there
    T is 1000, and the paper samples in 100 steps.
    """

    widths: Widths
    T: int = 1000
    steps: int = 100
    samples: int = 5
    quick_steps: int = 10
    seed: int = 0
    name = method = "medsegdiff"
    title = "MedSegDiff"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """A `MedSegDiffNetwork`; the map of the FF-Parser fixes the size."""
        check_multiple(self.name, size, self.widths.stride)
        return MedSegDiffNetwork(self.widths, size, kinds)

    def seeded(self, seed: int) -> MedSegDiff:
        """The same, t and noise of its training fixed by `seed`."""
        return replace(self, seed=seed)

    def fuse(self, samples: Tensor, m: Tensor) -> Tensor:
        """STAPLE over the samples of each slice apart: the method is one of 2D images."""
        fuse = Staple()
        alone = [fuse(samples[:, i : i + 1], m[i : i + 1]) for i in range(len(m))]
        return torch.cat(alone)


SMALL = MedSegDiff(
    widths=Widths(base=12, multipliers=(1, 2, 4, 8), blocks=1, attentive=1, groups=4), steps=10
)
"""Few channels; 5 samples by 10 steps each, so that a CPU can predict with it."""

FULL = MedSegDiff(
    widths=Widths(base=128, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attentive=2, groups=32)
)
"""The widths that the released code recommends, at 256 pixels."""
