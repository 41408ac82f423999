"""Fusions of several label estimates into one; y^all of section 2.4 is the union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from strokediff.inference.estimator import Context, Estimator, LabelEstimate, Slices


class Fusion(Protocol):
    """Fuses label estimates (K, S, 1, H, W), positive where there is lesion, into one."""

    def __call__(self, labels: Tensor) -> Tensor:
        """(K, S, 1, H, W) -> (S, 1, H, W)."""
        ...


def union(labels: Tensor) -> Tensor:
    """Lesion where any estimate says so: the largest y_0 (section 2.4)."""
    return labels.amax(dim=0)


def mean(labels: Tensor) -> Tensor:
    """The average of y_0, which section 4 says was used."""
    return labels.mean(dim=0)


@dataclass(frozen=True)
class Fused:
    """y^all: several estimators, fused."""

    parts: Sequence[Estimator]
    fusion: Fusion = union
    name: str = "all"

    def evaluations(self) -> int:
        """The sum over the parts."""
        return sum(part.evaluations() for part in self.parts)

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice."""
        estimates = [part.estimate(slices, context) for part in self.parts]
        return LabelEstimate(
            y_0=self.fusion(torch.stack([e.y_0 for e in estimates])),
            areas=torch.cat([e.areas for e in estimates]),
            evaluations=sum(e.evaluations for e in estimates),
        )
