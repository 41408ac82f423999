"""What the diffusions of the label alone share: schedule, loss and sampler; the image conditions.

The forward process noises the label y_0 (DDPM, Ho et al. 2020, equation (4)), not the image, and a
network predicts its noise from the noisy label, the clean image and t. A label of K kinds of lesion
has K channels, each with noise of its own. Everything is confined to the brain, as the other
methods here are: y_t is 0 outside it, and only pixels inside train.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from strokediff.baselines.base import in_brain, in_brain_mean
from strokediff.baselines.reverse import Posterior, Reverse
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import Schedule, from_betas
from strokediff.core.seeds import derive_seed
from strokediff.inference.mirrored import LEFT_RIGHT
from strokediff.noise.base import generator
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.training.samples import sample_seeds

Noise = Callable[[Tensor, Tensor], Tensor]
"""(y_t (S, K, H, W), t (S,)) -> eps_hat (S, K, H, W), and what else a `Reverse` reads."""


def linear_schedule(T: int) -> Schedule:
    """beta[t] rises linearly from 1e-4 to 0.02 over T = 1000 steps, and as far over any other T.

    Both are multiplied by 1000 / T, as `get_named_beta_schedule` of both releases does. Without,
    alpha_bar[T] would be 0.36 at T = 100, and sampling could not start from pure noise.
    """
    scale = 1000.0 / T
    return from_betas(torch.linspace(1e-4 * scale, 0.02 * scale, T, dtype=torch.float64))


def spaced_times(T: int, steps: int) -> list[int]:
    """T = t_0 > t_1 > ... > t_steps = 0, evenly spaced: the times that a sampler visits."""
    if not 1 <= steps <= T:
        raise ValueError(f"steps must be in 1..{T}, got {steps}")
    return [round(T * k / steps) for k in range(steps, -1, -1)]


class Denoiser(nn.Module, ABC):
    """(y_t, x, t) -> eps_hat. What depends on the image alone is computed once a slice.

    `kinds` is K, the number of channels of its label.
    """

    def __init__(self, kinds: int = 1) -> None:
        super().__init__()
        self.kinds = kinds

    @abstractmethod
    def guide(self, x: Tensor) -> Tensor:
        """What the network makes of slices x (S, 1, H, W) whatever y_t and t."""

    @abstractmethod
    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor) -> Tensor:
        """eps_hat (S, K, H, W) of noisy labels (S, K, H, W) at times t (S,).

        With learned sigma v too, (S, 2 K, H, W).
        """

    def forward(self, y_t: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """What the loss is of: eps_hat (S, K, H, W), and what else a network answers."""
        return self.denoise(y_t, self.guide(x), t)


@dataclass(frozen=True)
class NoisedLabel:
    """Labels (B, K, H, W) of a batch in the method's own scale, noised: y_t, 0 outside the brain.

    t is (B,), on the CPU.
    """

    y_0: Tensor
    y_t: Tensor
    eps: Tensor
    t: Tensor


POSTERIOR = Posterior()


def sample_label(
    process: SynchronousProcess,
    noise: Noise,
    m: Tensor,
    seeds: Sequence[int],
    times: list[int],
    kinds: int = 1,
    reverse: Reverse = POSTERIOR,
) -> Tensor:
    """One draw of y_0 (S, K, H, W) a slice by the reverse chain over `times`; -1 outside the brain.

    DDPM equations (6) and (7) on the sub-sequence of times, as `reverse` reads them. The noise of
    a slice at a time derives from its seed.
    """
    shape = (kinds, *m.shape[2:])

    def white(t: int) -> Tensor:
        drawn = [derive_seed(seed, "label", t) for seed in seeds]
        return IsotropicNoise().draw(drawn, shape, m.device)

    y = white(times[0])
    for t, s in pairwise(times):
        at, to = (torch.full((len(m),), time, dtype=torch.long) for time in (t, s))
        step = reverse(process, y, noise(y * m, at.to(m.device)).float(), at, to)
        y = step.mean + step.deviation * white(s) if s else step.mean
    return in_brain(y, m)


class LabelDiffusion(ABC):
    """A DDPM of the label that is sampled several times, its samples fused into one label.

    `samples` chains of `steps` steps out of the T that were trained; `quick_steps` is the length of
    the one chain that validation sees. `seed` fixes t and noise of every training sample.
    `reverse` is a chain's step: by default with the posterior's own variance, and y_0_hat clipped.
    """

    name: str
    title: str
    method: str
    noise = None
    T: int
    steps: int
    samples: int
    quick_steps: int
    seed: int
    reverse: Reverse = POSTERIOR

    @abstractmethod
    def build(self, size: int, kinds: int = 1) -> nn.Module:
        """The untrained `Denoiser` for slices of size x size and labels of K kinds."""

    @abstractmethod
    def fuse(self, samples: Tensor, m: Tensor) -> Tensor:
        """Samples (N, S, K, H, W) and masks (S, 1, H, W) -> y_0 (S, K, H, W) in [-1, 1]."""

    def example(self, size: int) -> tuple[Tensor, ...]:
        """y_t and x (1, 1, size, size), of one kind of lesion, and t = 1."""
        slice_ = torch.zeros(1, 1, size, size)
        return slice_, slice_, torch.ones(1, dtype=torch.long)

    @property
    def process(self) -> SynchronousProcess:
        """The forward process; of its pair only the label is noised."""
        return SynchronousProcess(linear_schedule(self.T))

    def noised(self, batch: dict[str, Any]) -> NoisedLabel:
        """The batch's labels, each at a time and with a noise that derive from its number."""
        y_0 = self.own_scale(batch["y"])
        seeds = sample_seeds(self.seed, batch["number"], "noise")
        kinds, height, width = y_0.shape[1:]
        eps = IsotropicNoise().draw(seeds, (kinds, height, width), y_0.device).to(y_0)
        drawn = [
            torch.randint(1, self.T + 1, (1,), generator=generator(seed))
            for seed in sample_seeds(self.seed, batch["number"], "t")
        ]
        t = torch.cat(drawn)
        return NoisedLabel(y_0, self.process.noised(y_0, eps, t) * batch["m"], eps, t)

    def losses(self, module: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Mean squared error of eps_hat inside the brain, under "loss": DDPM equation (14).

        The mean over kinds.
        """
        drawn, m = self.noised(batch), batch["m"]
        eps_hat = module(drawn.y_t, batch["x"] * m, drawn.t.to(m.device))
        return {"loss": in_brain_mean((eps_hat.float() - drawn.eps).square(), m)}

    def own_scale(self, y_0: Tensor) -> Tensor:
        """A label in [-1, 1] as it is diffused: here itself."""
        return y_0

    def shown(self, drawn: Tensor) -> Tensor:
        """What was drawn, as a label in [-1, 1]; -1 stays -1, which it is outside the brain."""
        return drawn

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        """One short chain, the same noise for every slice and every call."""
        seeds = [derive_seed("validation")] * len(x_0)
        return self.draw(module, x_0, m, seeds, samples=1, steps=self.quick_steps)[0]

    @torch.inference_mode()
    def predict(self, module: nn.Module, x: Tensor, m: Tensor, seeds: Sequence[int]) -> Tensor:
        """The fused label; sample k of a slice derives from (its seed, k)."""
        return self.fuse(self.draw(module, x, m, seeds, samples=self.samples, steps=self.steps), m)

    def evaluations(self) -> int:
        """samples x steps; what depends on the image alone runs once a slice besides."""
        return self.samples * self.steps

    def views(self) -> int:
        """How many views of a slice are drawn on: it, and its mirror image if there are draws."""
        return min(2, self.samples)

    def chain(self, view: View) -> Noise:
        """What answers one chain of the sampler on a view."""
        return view.noise

    def draw(
        self, module: Any, x: Tensor, m: Tensor, seeds: Sequence[int], *, samples: int, steps: int
    ) -> Tensor:
        """Samples of y_0, not fused: (samples, S, K, H, W), -1 outside the brain.

        Those of odd number are drawn on the mirrored slice, as SDPM's draws are.
        """
        if len(seeds) != len(x):
            raise ValueError(f"expected a seed for each of {len(x)} slices, got {len(seeds)}")
        process, times = self.process, spaced_times(self.T, steps)
        views = [View.of(module, x[:, :1], m, mirrored) for mirrored in (False, True)[:samples]]
        drawn = []
        for k in range(samples):
            view, own = views[k % 2], [derive_seed(seed, k) for seed in seeds]
            label = sample_label(
                process, self.chain(view), view.m, own, times, module.kinds, self.reverse
            )
            drawn.append(view.back(self.shown(label)))
        return torch.stack(drawn)


@dataclass(frozen=True)
class View:
    """Slices as they are, or mirrored left to right, and what the network makes of them."""

    module: Any
    guide: Tensor
    m: Tensor
    mirrored: bool

    @classmethod
    def of(cls, module: Any, x: Tensor, m: Tensor, mirrored: bool) -> View:
        """Slices x and brains m (S, 1, H, W), and what is made of them whatever y_t and t."""
        if mirrored:
            x, m = x.flip(LEFT_RIGHT), m.flip(LEFT_RIGHT)
        return cls(module, module.guide(x * m), m, mirrored)

    def noise(self, y_t: Tensor, t: Tensor) -> Tensor:
        """eps_hat (S, K, H, W)."""
        found: Tensor = self.module.denoise(y_t, self.guide, t)
        return found

    def back(self, y: Tensor) -> Tensor:
        """A label of this view on the slice itself."""
        return y.flip(LEFT_RIGHT) if self.mirrored else y
