"""The second estimate of section 2.4, y^sal: a weighted mean over noise levels t <= T_i."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from strokediff.inference.estimator import Context, LabelEstimate, Slices, lesion_areas, times


@dataclass(frozen=True)
class Salient:
    """y^sal = 1/N sum_n sum_{t=0}^{T_i} psi_t y_0_hat(x_t), psi_t ~ 1 - (t / T_i)^nu.

    The weights are normalised to sum 1. The paper sums over every t below T_i; `stride` > 1
    keeps every stride-th t, a quadrature of the same sum. Every (n, t) has its own noise.
    """

    T_i: int
    repeats: int
    stride: int = 1
    nu: float = 2.0
    name: str = "sal"

    def __post_init__(self) -> None:
        if self.T_i < 1 or self.repeats < 1 or self.stride < 1 or self.nu <= 1:
            raise ValueError(f"expected T_i, repeats, stride >= 1 and nu > 1, got {self}")

    @property
    def grid(self) -> range:
        """The times at which the network is asked; at T_i itself the weight is 0."""
        return range(0, self.T_i, self.stride)

    @property
    def psi(self) -> Tensor:
        """Weights of the grid's times, float64, sum 1."""
        t = torch.tensor(list(self.grid), dtype=torch.float64)
        weight = 1.0 - (t / self.T_i) ** self.nu
        return weight / weight.sum()

    def evaluations(self) -> int:
        """repeats x len(grid) evaluations a slice."""
        return self.repeats * len(self.grid)

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice."""
        mean = torch.zeros_like(slices.x_0, dtype=torch.float64)
        areas = []
        for n in range(self.repeats):
            draw = torch.zeros_like(mean)
            for t, psi in zip(self.grid, self.psi.tolist(), strict=True):
                draw += psi * self._label_at(t, n, slices, context).double()
            areas.append(lesion_areas(draw))
            mean += draw / self.repeats
        evaluations = self.evaluations() * len(slices.x_0)
        return LabelEstimate(mean.float(), torch.stack(areas), evaluations)

    def _label_at(self, t: int, n: int, slices: Slices, context: Context) -> Tensor:
        at = times(t, slices)
        eps = context.draw(slices, "sal", n, t)
        x_t = context.process.noised(slices.x_0, eps, at)
        eps_hat, y_t_hat = context.predict(x_t, at, slices.m)
        return context.process.clean(y_t_hat, eps_hat, at)
