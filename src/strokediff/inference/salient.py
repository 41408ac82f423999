"""The second estimate of section 2.4, y^sal: a weighted mean over noise levels t <= T_i.

y^sal = 1/N sum_n sum_{t=0}^{T_i} psi_t y_0_hat(x_t), psi_t ~ 1 - (t / T_i)^nu, normalised to
sum 1. With psi as a law of t it is an expectation, E y_0_hat(x_t) over t ~ psi and noise, which
`Stratified` estimates without bias for any number of evaluations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from strokediff.inference.estimator import Context, Slices, times
from strokediff.noise.base import generator


def salient_weights(t: Tensor, T_i: int, nu: float) -> Tensor:
    """psi at the times t, float64, sum 1."""
    weight = 1.0 - (t.double() / T_i) ** nu
    return weight / weight.sum()


def label_at(t: Tensor, eps: Tensor, slices: Slices, context: Context) -> Tensor:
    """y_0_hat(x_t) with x_t the image noised by eps; t is (S,)."""
    x_t = context.process.noised(slices.x_0, eps, t)
    eps_hat, y_t_hat = context.predict(x_t, t, slices)
    return context.process.clean(y_t_hat, eps_hat, t)


@dataclass(frozen=True)
class Salient:
    """A draw is the sum over t of psi_t y_0_hat(x_t), every t with noise of its own.

    The paper sums over every t below T_i; `stride` > 1 keeps every stride-th t, a quadrature of
    the same sum. y^sal of SDPM section 2.4. Raises `ValueError` unless T_i and stride are 1 or more
    and nu is above 1.

    >>> salient = Salient(T_i=10, stride=4)
    >>> list(salient.grid), [round(psi, 2) for psi in salient.psi.tolist()]
    ([0, 4, 8], [0.45, 0.38, 0.16])
    >>> round(float(salient.psi.sum()), 9)
    1.0
    """

    T_i: int
    stride: int = 1
    nu: float = 2.0
    name: str = "sal"

    def __post_init__(self) -> None:
        if self.T_i < 1 or self.stride < 1 or self.nu <= 1:
            raise ValueError(f"expected T_i, stride >= 1 and nu > 1, got {self}")

    @property
    def grid(self) -> range:
        """The times at which the network is asked; at T_i itself the weight is 0."""
        return range(0, self.T_i, self.stride)

    @property
    def psi(self) -> Tensor:
        """Weights of the grid's times, float64, sum 1."""
        return salient_weights(torch.tensor(list(self.grid)), self.T_i, self.nu)

    def evaluations(self) -> int:
        """One a time of the grid."""
        return len(self.grid)

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, K, H, W), one draw a row."""
        total = context.blank(slices, torch.float64)
        for t, psi in zip(self.grid, self.psi.tolist(), strict=True):
            eps = context.draw(slices, "sal", t)
            total += psi * label_at(times(t, slices), eps, slices, context).double()
        return total.float()


@dataclass(frozen=True)
class Stratified:
    """The same mean from `points` evaluations a draw: t stratified over psi, noise in pairs.

    Stratum k of K holds the k-th of K equal shares of psi; one t is drawn in each. `antithetic`
    evaluations take turns with eps and -eps, which has the same law where the noise is symmetric
    (`NoiseModel.symmetric`); otherwise every evaluation draws its own. Raises `ValueError` unless
    T_i and points are 1 or more and nu is above 1.

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=500)), torch.eye(4)[None, None]
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> few, every = Stratified(T_i=250, points=4), Salient(T_i=250)
    >>> few.draw(slices, context).allclose(every.draw(slices, context), atol=1e-4)
    True
    >>> few.evaluations(), every.evaluations()
    (4, 250)
    """

    T_i: int
    points: int
    nu: float = 2.0
    antithetic: bool = True
    name: str = "sal"

    def __post_init__(self) -> None:
        if self.T_i < 1 or self.points < 1 or self.nu <= 1:
            raise ValueError(f"expected T_i, points >= 1 and nu > 1, got {self}")

    def evaluations(self) -> int:
        """`points`."""
        return self.points

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, K, H, W), one draw a row."""
        t = self._times(slices)
        pairs = self.antithetic and context.noise.symmetric
        total = context.blank(slices, torch.float64)
        for k in range(self.points):
            eps = context.draw(slices, "sal", k // 2 if pairs else k)
            if pairs and k % 2:
                eps = -eps
            total += label_at(t[:, k], eps, slices, context).double() / self.points
        return total.float()

    def _times(self, slices: Slices) -> Tensor:
        """One t in every stratum, (S, points) int64, in an order that pairs near times."""
        psi = salient_weights(torch.arange(self.T_i), self.T_i, self.nu)
        seeds = slices.noise_seeds("sal", "t")
        u = torch.stack([torch.rand(self.points, generator=generator(s)).double() for s in seeds])
        level = (torch.arange(self.points) + u) / self.points
        return torch.searchsorted(psi.cumsum(0), level).clamp(max=self.T_i - 1)
