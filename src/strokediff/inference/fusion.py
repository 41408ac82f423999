"""Fusions of several label estimates into one; y^all of section 2.4 is the union."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Protocol

import torch
from torch import Tensor

from strokediff.inference.estimator import Context, Estimator, LabelEstimate, Slices


class Fusion(Protocol):
    """Fuses label estimates (E, S, K, H, W), positive where there is lesion, kind by kind."""

    def __call__(self, labels: Tensor, m: Tensor) -> Tensor:
        """(E, S, K, H, W) and the brain masks (S, 1, H, W) -> (S, K, H, W)."""
        ...


def union(labels: Tensor, m: Tensor) -> Tensor:
    """Lesion where any estimate says so: the largest y_0 (section 2.4)."""
    return labels.amax(dim=0)


def mean(labels: Tensor, m: Tensor) -> Tensor:
    """The average of y_0, which section 4 says was used."""
    return labels.mean(dim=0)


def majority(labels: Tensor, m: Tensor) -> Tensor:
    """Lesion where more than half of the estimates say so: the (lower) median of y_0."""
    return labels.median(dim=0).values


@dataclass(frozen=True)
class Staple:
    """2 W - 1 with W the probability of lesion by STAPLE (Warfield et al. 2004).

    Expectation maximisation over the votes y_0 > 0 inside the brain, with one sensitivity and one
    specificity an estimate and kind over the whole head; the prior is the share of positive votes.
    Where nobody votes for lesion anywhere, nothing is lesion; where all do, everything is.

    Two that agree outvote a third:

    >>> votes = torch.tensor([[1, 1, -1, -1], [1, 1, -1, -1], [1, -1, 1, -1.0]])
    >>> Staple()(votes.reshape(3, 1, 1, 2, 2), m=torch.ones(1, 1, 2, 2)).round().flatten().tolist()
    [1.0, 1.0, -1.0, -1.0]
    """

    iterations: int = 50
    start: float = 0.99

    def __call__(self, labels: Tensor, m: Tensor) -> Tensor:
        """(E, S, K, H, W) and the brain masks (S, 1, H, W) -> (S, K, H, W)."""
        inside = m[:, 0] > 0
        out = torch.full_like(labels[0], -1.0)
        for kind, fused in enumerate(out.unbind(1)):
            votes = (labels[:, :, kind][:, inside] > 0).double()
            fused[inside] = (2 * self._posterior(votes) - 1).to(out)
        return out

    def _posterior(self, votes: Tensor) -> Tensor:
        """P(lesion) of every pixel, (P,), from votes (E, P)."""
        prior = votes.mean() if votes.numel() else votes.new_zeros(())
        if prior in (0, 1):
            return votes.mean(0) if len(votes) else votes.new_zeros(votes.shape[1])
        sensitivity = specificity = votes.new_full((len(votes), 1), self.start)
        w = votes.mean(0)
        for _ in range(self.iterations):
            yes = prior * torch.where(votes > 0, sensitivity, 1 - sensitivity).prod(0)
            no = (1 - prior) * torch.where(votes > 0, 1 - specificity, specificity).prod(0)
            w = yes / (yes + no).clamp(min=1e-300)
            sensitivity = _share((votes * w).sum(1), w.sum())
            specificity = _share(((1 - votes) * (1 - w)).sum(1), (1 - w).sum())
        return w


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part (E,) / whole () as (E, 1), at most 1.

    Two sums of the same numbers may differ in their last digit, and a share above 1 makes
    probabilities negative and in the end NaN.
    """
    return (part / whole.clamp(min=1e-12)).clamp(max=1.0)[:, None]


@dataclass(frozen=True)
class Fused:
    """Several estimators, fused; y^all of SDPM section 2.4 is the union of the three.

    The union of an answer and of its mean with its mirror image:

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.tensor([[[[1.0, -1.0]]]])
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> both = Fused([Repeated(Direct()), Repeated(Mirrored(Direct()), 2)])
    >>> both.estimate(slices, context).y_0.tolist(), both.evaluations()
    ([[[[1.0, 0.0]]]], 3)
    """

    parts: Sequence[Estimator]
    fusion: Fusion = union
    name: str = "all"

    def evaluations(self) -> int:
        """The sum over the parts."""
        return sum(part.evaluations() for part in self.parts)

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice; the tally holds the draws of all parts."""
        return self.fuse([part.estimate(slices, context) for part in self.parts], slices.m)

    def fuse(self, estimates: Sequence[LabelEstimate], m: Tensor) -> LabelEstimate:
        """One estimate of those of the parts; m (S, 1, H, W)."""
        return LabelEstimate(
            y_0=self.fusion(torch.stack([e.y_0 for e in estimates]), m),
            tally=reduce(add, (e.tally for e in estimates)),
            evaluations=sum(e.evaluations for e in estimates),
        )


@dataclass(frozen=True)
class Timed:
    """An estimate and the seconds that it took, its parts' included."""

    estimate: LabelEstimate
    seconds: float


def estimate_each(
    estimators: Mapping[str, Estimator], slices: Slices, context: Context
) -> dict[str, Timed]:
    """Several estimates of one head at the cost of their parts: equal ones are made once."""
    known: list[tuple[Estimator, Timed]] = []

    def once(estimator: Estimator) -> Timed:
        for other, found in known:
            if other == estimator:
                return found
        parts = [once(p) for p in estimator.parts] if isinstance(estimator, Fused) else []
        start = time.perf_counter()
        estimate = (
            estimator.fuse([part.estimate for part in parts], slices.m)
            if isinstance(estimator, Fused)
            else estimator.estimate(slices, context)
        )
        spent = time.perf_counter() - start + sum(part.seconds for part in parts)
        known.append((estimator, Timed(estimate, spent)))
        return known[-1][1]

    return {name: once(estimator) for name, estimator in estimators.items()}
