"""The two-stream U-Net: one encoder, computed once, and a decoder each for noise and label.

Source: SDPM section 2.2 and Fig. 2 ("additional net-stream parallel with a noise prediction
stream"); sizes after the journal version's script.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from strokediff.core.schedule import Schedule
from strokediff.errors import UsageError
from strokediff.networks.blocks import (
    LinearAttention,
    PooledAttention,
    ResBlock,
    SelfAttention,
    time_features,
)
from strokediff.networks.config import NetworkConfig

Run = Callable[..., Tensor]
"""(level, *features) -> its outcome."""

_POOLING: dict[str, type[nn.Module]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class Encoder(nn.Module):
    """Residual blocks at halving resolutions; returns the features of every level."""

    def __init__(self, config: NetworkConfig, widths: list[int], c_time: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(config.channels * config.patch**2, widths[0], 3, padding=1)
        c_in = [widths[0], *widths[:-1]]
        self.blocks = nn.ModuleList(
            ResBlock(a, b, c_time, config.groups) for a, b in zip(c_in, widths, strict=True)
        )
        self.attention = _linear_attention(config, widths)
        self.pool = _POOLING[config.pooling](2)

    def forward(self, x: Tensor, emb: Tensor, run: Run) -> list[Tensor]:
        """(B, channels patch^2, H, W) -> features, finest first."""
        h = self.stem(x)
        features = []
        for k in range(len(self.blocks)):
            h = run(partial(self._level, k), h, emb)
            features.append(h)
        return features

    def _level(self, k: int, h: Tensor, emb: Tensor) -> Tensor:
        found: Tensor = self.attention[k](self.blocks[k](self.pool(h) if k else h, emb))
        return found


class Decoder(nn.Module):
    """One stream: upsampling with skip connections from the shared encoder.

    `skips` are the encoder's widths and `widths` the stream's own, finest first; its features are
    `widths[0]` wide.
    """

    def __init__(
        self, config: NetworkConfig, skips: list[int], widths: list[int], c_time: int
    ) -> None:
        super().__init__()
        here = widths[-2::-1]
        below = [skips[-1], *here[:-1]]
        self.blocks = nn.ModuleList(
            ResBlock(b + skip, out, c_time, config.groups)
            for b, skip, out in zip(below, skips[-2::-1], here, strict=True)
        )
        self.attention = _linear_attention(config, here)

    def forward(self, h: Tensor, skips: list[Tensor], emb: Tensor, run: Run) -> Tensor:
        """The coarsest features and the encoder's -> features at the finest level."""
        for k, skip in enumerate(skips[-2::-1]):
            h = run(partial(self._level, k), h, skip, emb)
        return h

    def _level(self, k: int, h: Tensor, skip: Tensor, emb: Tensor) -> Tensor:
        h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        found: Tensor = self.attention[k](self.blocks[k](torch.cat([h, skip], dim=1), emb))
        return found


class StreamHead(nn.Module):
    """Norm, SiLU and the last convolution of a stream that gives `images` an input."""

    def __init__(self, channels: int, config: NetworkConfig, images: int = 1) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.groups, channels)
        self.conv = nn.Conv2d(channels, images * config.patch**2, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, images patch^2, H, W)."""
        found: Tensor = self.conv(F.silu(self.norm(h)))
        return found


class TwoStreamUNet(nn.Module):
    """(x_t, t) -> (eps_hat, y_t_hat), (B, 1, H, W) and (B, K, H, W), K kinds of lesion.

    x_t is (B, config.channels, H, W): the noisy slice, then what lies beside it, clean. The grid's
    sides must be multiples of `config.stride`; `UsageError` if `size`, its side, is none. With
    `recompute` a training step keeps the features between levels alone and computes the others
    again on the way back (Chen et al. 2016): the same gradients for less memory and more time.

    >>> from strokediff.core.schedule import sigmoid_schedule
    >>> config = NetworkConfig(base=8, multipliers=(1, 2))
    >>> network = TwoStreamUNet(config, sigmoid_schedule(T=500), size=16)
    >>> eps_hat, y_t_hat = network(torch.zeros(3, 1, 16, 16), torch.tensor([0, 1, 500]))
    >>> eps_hat.shape, y_t_hat.shape
    (torch.Size([3, 1, 16, 16]), torch.Size([3, 1, 16, 16]))
    """

    sqrt_alpha_bar: Tensor
    sqrt_gamma: Tensor

    def __init__(self, config: NetworkConfig, schedule: Schedule, size: int) -> None:
        super().__init__()
        if size % config.stride:
            raise UsageError(
                f"grid size {size} must be a multiple of {config.stride}, which the network's "
                "levels and patch divide it by. Give fewer multipliers or another patch."
            )
        self.config = config
        self.recompute = False
        widths = [config.base * m for m in config.multipliers]
        c_time = 4 * config.base
        self.time = nn.Sequential(
            nn.Linear(c_time, c_time), nn.SiLU(), nn.Linear(c_time, c_time), nn.SiLU()
        )
        self.encoder = Encoder(config, widths, c_time)
        self.middle1 = ResBlock(widths[-1], widths[-1], c_time, config.groups)
        self.middle_attention = SelfAttention(widths[-1], config.groups)
        self.middle2 = ResBlock(widths[-1], widths[-1], c_time, config.groups)
        noise_widths = [(config.noise_base or config.base) * m for m in config.multipliers]
        self.noise_decoder = Decoder(config, widths, noise_widths, c_time)
        self.label_decoder = Decoder(config, widths, widths, c_time)
        self.noise_head = StreamHead(noise_widths[0], config)
        self.label_attention = PooledAttention(
            widths[0], config.groups, _pool_factor(size // config.patch, config.head_attention_size)
        )
        self.label_head = StreamHead(widths[0], config, images=len(config.kinds))
        self.register_buffer("sqrt_alpha_bar", schedule.alpha_bar.sqrt().float(), persistent=False)
        self.register_buffer("sqrt_gamma", schedule.gamma.sqrt().float(), persistent=False)

    def forward(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the noise and the noisy label of x_t (B, channels, H, W) at times t (B,).

        At t = 0 there is no noise: eps_hat is 0 there, and its decoder is not run.
        """
        emb = self.time(time_features(t, 4 * self.config.base))
        skips = self.encoder(F.pixel_unshuffle(x_t, self.config.patch), emb, self._run)
        h = self.middle2(self.middle_attention(self.middle1(skips[-1], emb)), emb)
        eps_hat = self._noise(h, skips, emb, t > 0)
        label = self.label_attention(self.label_decoder(h, skips, emb, self._run))
        label_out = self._unfold(self.label_head(label))
        if self.config.label_form == "noisy":
            return eps_hat, label_out
        signal, noise = self.sqrt_alpha_bar[t], self.sqrt_gamma[t]
        y_0 = torch.tanh(label_out.float() / 2)
        y_t_hat = signal[:, None, None, None] * y_0 + noise[:, None, None, None] * eps_hat
        return eps_hat, y_t_hat

    def _noise(self, h: Tensor, skips: list[Tensor], emb: Tensor, noisy: Tensor) -> Tensor:
        """eps_hat (B, 1, H, W) of the samples in `noisy` (B,), 0 for the others.

        Training runs the decoder on those samples alone. Otherwise it runs on all or none, since
        a smaller batch rounds differently and an answer must not depend on its neighbours.
        """
        at = noisy.nonzero()[:, 0]
        if not len(at):
            side = h.shape[-1] * self.config.stride
            return h.new_zeros(len(noisy), 1, side, side)
        if not self.training:
            found = self._unfold(self.noise_head(self.noise_decoder(h, skips, emb, self._run)))
            return found.masked_fill(~noisy[:, None, None, None], 0.0)
        some = (h[at], [skip[at] for skip in skips], emb[at], self._run)
        found = self._unfold(self.noise_head(self.noise_decoder(*some)))
        return found.new_zeros(len(noisy), *found.shape[1:]).index_put((at,), found)

    def _run(self, level: Callable[..., Tensor], *features: Tensor) -> Tensor:
        if not (self.recompute and torch.is_grad_enabled()):
            return level(*features)
        found: Tensor = checkpoint(level, *features, use_reentrant=False, preserve_rng_state=False)
        return found

    def _unfold(self, h: Tensor) -> Tensor:
        return F.pixel_shuffle(h, self.config.patch)


def _linear_attention(config: NetworkConfig, widths: list[int]) -> nn.ModuleList:
    return nn.ModuleList(
        LinearAttention(width, config.groups) if config.linear_attention else nn.Identity()
        for width in widths
    )


def _pool_factor(side: int, largest: int) -> int:
    """The smallest divisor of `side` that brings it to `largest` or less."""
    return next(f for f in range(1, side + 1) if side % f == 0 and side // f <= largest)
