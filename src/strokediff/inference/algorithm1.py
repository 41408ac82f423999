"""Algorithm 1 of both papers (IL): the label by the reverse Markov chain, y^infer.

The lines of the algorithm are numbered in the comments. Where METHOD decides between readings,
the default is the decision and the literal form is a `TransitionScale`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from strokediff.core.seeds import derive_seed
from strokediff.inference.estimator import Context, Slices, times
from strokediff.noise.base import NoiseModel, generator
from strokediff.noise.isotropic import IsotropicNoise

TransitionScale = Callable[[Tensor], Tensor]
"""Turns the posterior variance beta[t] gamma[t-1] / gamma[t] into the factor of the noise."""


def standard_deviation(variance: Tensor) -> Tensor:
    """The factor that gives the posterior its variance: the square root."""
    return variance.sqrt()


def variance_as_printed(variance: Tensor) -> Tensor:
    """Lines 7 and 8 as printed: the variance itself multiplies the noise."""
    return variance


TransitionNoise = Callable[[Context], NoiseModel]
"""Which noise lines 7 and 8 draw, given what the estimator was given."""


def white(context: Context) -> NoiseModel:
    """N(0, I), as line 7 says, whatever the noise of the forward process."""
    return IsotropicNoise()


def own(context: Context) -> NoiseModel:
    """The noise of the forward process, whose covariance the posterior of SADPM has."""
    return context.noise


class LabelScale(Protocol):
    """The law of d_i, which scales the transition noise of the label in line 8."""

    def draw(self, seeds: list[int]) -> Tensor:
        """d_i for every slice, (S,)."""
        ...


@dataclass(frozen=True)
class FixedScale:
    """One value; at 1 image and label keep sharing their noise, so an oracle is exact."""

    d: float = 1.0

    def draw(self, seeds: list[int]) -> Tensor:
        """d for every slice."""
        return torch.full((len(seeds),), self.d)


class UniformScale:
    """d_i uniform in (0, 1), one a repeat and slice: the papers' d_i in R^(0,1)."""

    def draw(self, seeds: list[int]) -> Tensor:
        """d_i for every slice."""
        return torch.stack([torch.rand((), generator=generator(seed)) for seed in seeds])


@dataclass(frozen=True)
class Algorithm1:
    """A draw is IL(d, T_i), by SDPM's Algorithm 1; y^infer of section 2.4 is its mean over draws.

    `transition` is the noise of lines 7 and 8: white by default, as the papers, or the model's.
    With `stride` > 1 the chain visits every stride-th t only: each transition is the closed-form
    posterior of the sub-sequence (DDIM, Song et al. 2021, at eta = 1); 1 is the algorithm itself.
    Raises `ValueError` unless T_i and stride are 1 or more.

    A network that knows image and label is read back exactly, whatever noise is drawn on the way:

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.eye(4)[None, None]
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> chain = Algorithm1(T_i=25, stride=8)
    >>> chain.visited, chain.draw(slices, context).allclose(y_0, atol=1e-4)
    ([25, 17, 9, 1], True)
    """

    T_i: int
    stride: int = 1
    label_scale: LabelScale = FixedScale()
    transition_scale: TransitionScale = standard_deviation
    transition: TransitionNoise = white
    name: str = "infer"

    def __post_init__(self) -> None:
        if self.T_i < 1 or self.stride < 1:
            raise ValueError(f"expected T_i and stride >= 1, got {self.T_i} and {self.stride}")

    @property
    def visited(self) -> list[int]:
        """The times of the chain, from T_i down to 1."""
        return sorted({*range(self.T_i, 0, -self.stride), 1}, reverse=True)

    def evaluations(self) -> int:
        """One a time visited: T_i for the algorithm itself."""
        return len(self.visited)

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """IL(d, T_i) (S, K, H, W): one run of the reverse chain a row."""
        process, m = context.process, slices.m
        d = self.label_scale.draw(slices.noise_seeds("infer", "d")).reshape(-1, 1, 1, 1)
        t = times(self.T_i, slices)
        eps = context.draw(slices, "infer", "start")
        x_t = process.noised(slices.x_0, eps, t)  # 2: the noised image by (11)
        eps_hat, y_t = context.predict(x_t, t, slices)  # 2-3: the label stream's y_t, and the noise
        for before, after in pairwise(self.visited):  # 4
            t, s = times(before, slices), times(after, slices)
            x_0 = process.clean(x_t, eps_hat, t)  # 5
            y_0 = process.clean(y_t, eps_hat, t)
            scale = self.transition_scale(process.posterior_variance(t, s, x_t))
            kick = scale * self._transition(before, slices, context)
            x_t = process.posterior_mean(x_0, eps_hat, t, s) + kick  # 7
            y_t = process.posterior_mean(y_0, eps_hat, t, s) + d * kick  # 8
            eps_hat, _ = context.predict(x_t, s, slices)  # 9
        return process.clean(y_t, eps_hat, times(1, slices)) * m  # 11: at t = 1, y_0_hat

    def _transition(self, t: int, slices: Slices, context: Context) -> Tensor:
        seeds = [derive_seed(seed, t) for seed in slices.noise_seeds("infer", "step")]
        return context.drawn(self.transition(context), seeds, slices)
