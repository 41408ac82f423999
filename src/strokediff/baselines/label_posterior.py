"""The label's posterior given the image: the label alone is noised, the image is seen clean.

Forward, DDPM's equation (4) on the label: y_t = sqrt(abar_t) y_0 + sqrt(gamma_t) eps. One network
sees the clean image x, y_t, t and its own last estimate of y_0 ("self-conditioning", Chen et al.
2022, "Analog Bits", arXiv 2208.04202, section 3.2; 0 where there is none yet) and gives a logit l,

    y_0_hat = tanh(l / 2) = E[y_0 | y_t, x],    L = -log p(y_0) = log(1 + exp(-y_0 l)),

which is least at that mean, the only thing that the sampler needs. With the exact mean and ever
more steps, a draw of the ancestral sampler tends to a draw of q(y_0 | x): a whole label of a slice,
with all that its pixels have in common. With one step it is the mean, E[y_0 | x].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.baselines.base import check_multiple, in_brain_mean
from strokediff.baselines.diffusion_unet import LabelDecoder, LabelEncoder, TimeEmbedding, Widths
from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion, Noise, View
from strokediff.baselines.reverse import Normal, Reverse, log_narrow
from strokediff.core.process import SynchronousProcess
from strokediff.noise.base import generator
from strokediff.training.samples import sample_seeds


class Prediction(Protocol):
    """What the network's output (B, K, H, W) says of y_0, and how it is trained."""

    def clean(self, process: SynchronousProcess, output: Tensor, y_t: Tensor, t: Tensor) -> Tensor:
        """y_0_hat in [-1, 1]."""
        ...

    def error(self, output: Tensor, y_0: Tensor, eps: Tensor) -> Tensor:
        """The loss of each pixel."""
        ...


class LabelPrediction:
    """The output is the logit of lesion."""

    def clean(self, process: SynchronousProcess, output: Tensor, y_t: Tensor, t: Tensor) -> Tensor:
        """tanh(l / 2)."""
        return torch.tanh(output / 2)

    def error(self, output: Tensor, y_0: Tensor, eps: Tensor) -> Tensor:
        """log(1 + exp(-y_0 l))."""
        return F.softplus(-y_0 * output)


class NoisePrediction:
    """The output is eps_hat, as in DDPM."""

    def clean(self, process: SynchronousProcess, output: Tensor, y_t: Tensor, t: Tensor) -> Tensor:
        """y_0 of y_t and eps_hat, clipped."""
        return process.clean(y_t, output, t).clamp(-1, 1)

    def error(self, output: Tensor, y_0: Tensor, eps: Tensor) -> Tensor:
        """(eps_hat - eps)^2."""
        return (output - eps).square()


LABEL, NOISE = LabelPrediction(), NoisePrediction()


@dataclass(frozen=True)
class FromLabel:
    """A step with the posterior's own mean and variance, read from y_0_hat itself."""

    def __call__(
        self, process: SynchronousProcess, y_t: Tensor, found: Tensor, t: Tensor, s: Tensor
    ) -> Normal:
        """`found` is y_0_hat (S, K, H, W) in [-1, 1]."""
        signal = process.alpha_bar(t, y_t).sqrt() * found
        eps = (y_t - signal) / process.gamma(t, y_t).sqrt()
        return Normal(process.posterior_mean(found, eps, t, s), log_narrow(process, t, s, y_t))


class LabelPosteriorNetwork(Denoiser):
    """A U-Net whose first convolution sees x, y_t and, if `recycling`, the last y_0_hat."""

    def __init__(self, widths: Widths, kinds: int = 1, recycling: bool = True) -> None:
        super().__init__(kinds)
        c = widths.levels[0]
        self.image_stem = nn.Conv2d(1, c, 3, padding=1)
        self.label_stem = nn.Conv2d(kinds, c, 3, padding=1, bias=False)
        self.last_stem = nn.Conv2d(kinds, c, 3, padding=1, bias=False) if recycling else None
        self.time = TimeEmbedding(widths)
        self.encoder = LabelEncoder(widths)
        self.decoder = LabelDecoder(widths, kinds)

    def guide(self, x: Tensor) -> Tensor:
        """The image's part of the first convolution."""
        found: Tensor = self.image_stem(x)
        return found

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor, last: Tensor | None = None) -> Tensor:
        """The output (B, K, H, W); `last` is the last y_0_hat, 0 if None."""
        h = guide + self.label_stem(y_t)
        if self.last_stem is not None:
            h = h + self.last_stem(torch.zeros_like(y_t) if last is None else last)
        emb = self.time(t)
        found: Tensor = self.decoder(self.encoder(h, emb), emb)
        return found

    def forward(self, y_t: Tensor, x: Tensor, t: Tensor, last: Tensor | None = None) -> Tensor:
        """The output (B, K, H, W)."""
        return self.denoise(y_t, self.guide(x), t, last)


@dataclass(frozen=True)
class LabelPosterior(LabelDiffusion):
    """Draws of q(y_0 | x); the label is their mean, E[y_0 | x].

    In training the share `recycled` of the samples is shown the network's own first estimate, whose
    gradient is not followed; 0 is a network without that input. Validation sees one step.
    """

    widths: Widths
    T: int = 1000
    steps: int = 50
    samples: int = 16
    quick_steps: int = 1
    seed: int = 0
    recycled: float = 0.5
    predicts: Prediction = LABEL
    reverse: Reverse = FromLabel()
    name = method = "label-posterior"
    title = "Label posterior"

    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """A `LabelPosteriorNetwork`."""
        check_multiple(self.name, size, self.widths.stride)
        return LabelPosteriorNetwork(self.widths, kinds, recycling=self.recycled > 0)

    def seeded(self, seed: int) -> LabelPosterior:
        """The same, t, noise and recycling of its training fixed by `seed`."""
        return replace(self, seed=seed)

    def fuse(self, samples: Tensor, m: Tensor) -> Tensor:
        """The mean over the samples."""
        return samples.mean(dim=0)

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The mean error of the prediction inside the brain, under "loss"."""
        x, m, noised = batch["x"] * batch["m"], batch["m"], self.noised(batch)
        y_t, t, last = noised.y_t, noised.t, torch.zeros_like(noised.y_t)
        own = self._recycled(batch["number"])
        if len(own):
            with torch.no_grad():
                output = module(y_t[own], x[own], t[own].to(x.device))
                last[own] = self._clean(output, y_t[own], t[own], m[own]).to(last)
        output = module(y_t, x, t.to(x.device), last).float()
        return {"loss": in_brain_mean(self.predicts.error(output, noised.y_0, noised.eps), m)}

    def chain(self, view: View) -> Noise:
        """y_0_hat, each seen by the network at the chain's next time."""
        last: Tensor | None = None

        def clean(y_t: Tensor, t: Tensor) -> Tensor:
            nonlocal last
            output = view.module.denoise(y_t, view.guide, t, last)
            last = self._clean(output, y_t, t, view.m)
            return last

        return clean

    def _clean(self, output: Tensor, y_t: Tensor, t: Tensor, m: Tensor) -> Tensor:
        return self.predicts.clean(self.process, output.float(), y_t, t) * m

    def _recycled(self, numbers: Tensor) -> Tensor:
        """Which rows of a batch are shown a first estimate, (n,)."""
        drawn = [
            float(torch.rand(1, generator=generator(seed)))
            for seed in sample_seeds(self.seed, numbers, "recycled")
        ]
        return (torch.tensor(drawn) < self.recycled).nonzero()[:, 0]


@dataclass(frozen=True)
class PlainLabelPosterior(LabelPosterior):
    """Without recycling."""

    recycled: float = 0.0
    name = method = "label-posterior-plain"
    title = "Label posterior, no recycling"


@dataclass(frozen=True)
class NoiseLabelPosterior(LabelPosterior):
    """The network predicts the noise, by squared error."""

    predicts: Prediction = NOISE
    name = method = "label-posterior-eps"
    title = "Label posterior, noise predicted"


_SMALL = Widths(base=16, multipliers=(1, 2, 4, 8), blocks=1, attentive=1, groups=4)
_FULL = Widths(base=128, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attentive=2, groups=32)
"""As SegDiff's, so that what differs is the method."""

VARIANTS = (LabelPosterior, PlainLabelPosterior, NoiseLabelPosterior)
PAIRS = tuple((own(_SMALL, steps=10, samples=8), own(_FULL)) for own in VARIANTS)
"""Each with few channels, 8 samples by 10 steps for a CPU, and wide, 16 by 50."""
