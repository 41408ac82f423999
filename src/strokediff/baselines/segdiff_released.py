"""SegDiff as its authors released it: https://github.com/tomeramit/SegDiff at commit e6592c9.

What the paper does not say, or says otherwise, is from image_train_diff_medical.py (`main`,
`create_argparser`), improved_diffusion/script_util.py (`create_model`) and sampling_util.py
(`sampling_major_vote_func`):

    U-Net     widths (1, 1, 1, 2, 2, 4, 4), 3 blocks a level, a skip a block, no scale-shift
    chain     variance beta, y_0_hat not clipped
    answer    samples clipped to [-1, 1], then their mean ("major vote"), cut at 0

Its loss is the sum over pixels where ours is the mean: Adam's steps are the same, and the clipping
of gradients that all methods here share would make them otherwise. Its training (AdamW, 2e-5,
weights averaged at 0.9999 a step, 300,000 steps of 4) is the budget's here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from strokediff.baselines.base import check_multiple
from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion
from strokediff.baselines.released_unet import (
    ReleasedDecoder,
    ReleasedEncoder,
    ReleasedTime,
    ReleasedWidths,
)
from strokediff.baselines.reverse import Wide
from strokediff.baselines.segdiff import ImageEncoder, ImageWidths, SegDiffNetwork


class SegDiffReleasedNetwork(SegDiffNetwork):
    """D(E(F(y_t) + G(x), t), t): `UNetModel.forward` of improved_diffusion/unet.py."""

    def __init__(self, widths: ReleasedWidths, image: ImageWidths, kinds: int = 1) -> None:
        Denoiser.__init__(self, kinds)
        self.mask_encoder = nn.Conv2d(kinds, widths.base, 3, padding=1)
        self.image_encoder = ImageEncoder(image, widths.base)
        self.time = ReleasedTime(widths)
        self.encoder = ReleasedEncoder(widths)
        self.decoder = ReleasedDecoder(widths, kinds)


@dataclass(frozen=True)
class SegDiffReleased(LabelDiffusion):
    """By default its inference: the mean of 9 samples of all T = 100 steps."""

    widths: ReleasedWidths
    image: ImageWidths
    T: int = 100
    steps: int = 100
    samples: int = 9
    quick_steps: int = 5
    seed: int = 0
    name = method = "segdiff-released"
    title = "SegDiff as released"
    reverse = Wide()

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """A `SegDiffReleasedNetwork`."""
        check_multiple(self.name, size, self.widths.stride)
        return SegDiffReleasedNetwork(self.widths, self.image, kinds)

    def seeded(self, seed: int) -> SegDiffReleased:
        """The same, t and noise of its training fixed by `seed`."""
        return replace(self, seed=seed)

    def shown(self, drawn: Tensor) -> Tensor:
        """Clipped: the chain itself is not."""
        return drawn.clamp(-1, 1)

    def fuse(self, samples: Tensor, m: Tensor) -> Tensor:
        """The mean over the samples, clipped each."""
        return samples.mean(dim=0)


SMALL = SegDiffReleased(
    widths=ReleasedWidths(
        base=12, multipliers=(1, 2, 3, 4), blocks=3, attended=(2, 3), heads=4, groups=4
    ),
    image=ImageWidths(width=16, growth=8, blocks=1),
    steps=10,
)
"""The release's levels and attention at 64 pixels, few channels; 9 samples by 10 of 100 steps."""

FULL = SegDiffReleased(
    widths=ReleasedWidths(
        base=128, multipliers=(1, 1, 1, 2, 2, 4, 4), blocks=3, attended=(4, 5), heads=4, groups=32
    ),
    image=ImageWidths(width=64, growth=32, blocks=12),
)
"""At 256 pixels, with the 12 blocks of its medical example."""
