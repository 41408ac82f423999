"""What the estimators of section 2.4 share: rows of slices in, label draws and their tally out.

A sampler draws a label estimate for every row it is given; a row is a slice and the number of a
draw. An estimator turns draws into an estimate. Neither knows what the network is made of, and
the noise of a row depends on (seed, slice, draw) alone, so draws of any slices may share a batch.

A label has K channels, one a kind of lesion. The image and all of them share their noise, so that
K kinds cost no more evaluations than one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from strokediff.core.process import SynchronousProcess
from strokediff.core.seeds import derive_seed
from strokediff.inference.executor import Network
from strokediff.inference.tally import NoStore, Store, Tally
from strokediff.noise.base import CPU, NoiseModel


@dataclass(frozen=True)
class Slices:
    """Clean images x_0 (S, 1, H, W) in [-1, 1] and brain masks m (S, 1, H, W) in {0, 1}.

    `keys` names each slice for its seeds and `draws` numbers the draw that each row is for (all 0
    if left out); `seed` is the case's. `pixel_ml` (S,) is the volume of a pixel, for estimators
    that stop by volume, mL. `beside` (S, C, H, W) is what lies beside each, for networks that
    see it, each in its own mask.

    A row's noise depends on seed, slice and draw alone, not on the rows beside it:

    >>> slices = Slices(torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4), keys=[7, 8], seed=0)
    >>> rows = slices.rows([1, 1], draws=[0, 1])
    >>> rows.keys, rows.noise_seeds("sal")[0] == slices.noise_seeds("sal")[1]
    ([8, 8], True)
    """

    x_0: Tensor
    m: Tensor
    keys: Sequence[int]
    seed: int
    draws: Sequence[int] = ()
    pixel_ml: Tensor | None = None
    beside: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, H, W), the shape of one slice."""
        channels, height, width = self.x_0.shape[1:]
        return channels, height, width

    def numbers(self) -> Sequence[int]:
        """The number of the draw of each row."""
        return self.draws or [0] * len(self.keys)

    def rows(self, index: Sequence[int], draws: Sequence[int]) -> Slices:
        """The slices `index`, each for the draw of that number; a slice may come several times."""
        at = torch.as_tensor(index, dtype=torch.long)
        return replace(
            self,
            x_0=self.x_0[at],
            m=self.m[at],
            keys=[self.keys[i] for i in index],
            draws=list(draws),
            pixel_ml=None if self.pixel_ml is None else self.pixel_ml[at],
            beside=None if self.beside is None else self.beside[at],
        )

    def seen(self, x_t: Tensor) -> Tensor:
        """What the network sees: x_t inside the mask, and what lies beside it, if anything."""
        masked = x_t * self.m
        return masked if self.beside is None else torch.cat([masked, self.beside], dim=1)

    def noise_seeds(self, *what: int | str) -> list[int]:
        """One seed a row for what `what` names."""
        pairs = zip(self.keys, self.numbers(), strict=True)
        return [derive_seed(self.seed, key, draw, *what) for key, draw in pairs]


@dataclass(frozen=True)
class LabelEstimate:
    """y_0_hat (S, K, H, W) in [-1, 1], and the tally of the draws it came from.

    `evaluations` are those of the network over all slices and draws. `between_ml2` is the variance
    of the volume between whole answers, by kind and joined (A,), where the draws of a head's slices
    are not independent: they are of the same models.

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.eye(4)[None, None]
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> found = Repeated(Salient(T_i=5), repeats=4).estimate(slices, context)
    >>> found.y_0.allclose(y_0, atol=1e-4), found.tally.counts.tolist(), found.evaluations
    (True, [4], 20)
    """

    y_0: Tensor
    tally: Tally
    evaluations: int
    between_ml2: Tensor | None = None


@dataclass(frozen=True)
class Context:
    """What every estimator needs beside the slices.

    The label has `kinds` channels. A draw's lesion is where y_0 >= `threshold`, which is one for
    all kinds or one each. At most `pack` rows go to the network at once.
    Noise is drawn on `device`; everything else is on the CPU, the network's results included.
    `advance` is told of evaluations as they are spent, `store` keeps unfinished tallies. `network`
    is any (x_t, t) -> (eps_hat, y_t_hat) with x_t (R, C, H, W), t (R,), eps_hat (R, 1, H, W) and
    y_t_hat (R, K, H, W); of a trained model, `Model.estimating` makes the context. Raises
    `ValueError` for another number of thresholds, and when a label has another number of channels.

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.eye(4)[None, None]
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> eps, t = context.draw(slices, "any name"), torch.tensor([25])
    >>> eps_hat, y_t_hat = context.predict(process.noised(slices.x_0, eps, t), t, slices)
    >>> eps_hat.allclose(eps), y_t_hat.allclose(process.noised(y_0, eps, t))
    (True, True)
    """

    network: Network
    process: SynchronousProcess
    noise: NoiseModel
    threshold: float | Sequence[float] = 0.0
    pack: int = 64
    advance: Callable[[int], None] = field(default=lambda evaluations: None)
    store: Store = field(default_factory=NoStore)
    device: torch.device = CPU
    kinds: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.threshold, (int, float)) and len(self.threshold) != self.kinds:
            raise ValueError(
                f"expected one threshold or {self.kinds}, one a kind, got {self.threshold}"
            )

    def blank(self, slices: Slices, dtype: torch.dtype = torch.float32) -> Tensor:
        """Zeros shaped as the label of every slice, (S, K, H, W)."""
        return torch.zeros(len(slices.x_0), self.kinds, *slices.x_0.shape[2:], dtype=dtype)

    def predict(self, x_t: Tensor, t: Tensor, slices: Slices) -> tuple[Tensor, Tensor]:
        """The network's (eps_hat, y_t_hat) for the slices' x_t, masked."""
        eps_hat, y_t_hat = self.network(slices.seen(x_t), t)
        if y_t_hat.shape[1] != self.kinds:
            raise ValueError(
                f"expected a label of {self.kinds} channel(s), one a kind of lesion, got "
                f"{y_t_hat.shape[1]}"
            )
        self.advance(len(x_t))
        return eps_hat * slices.m, y_t_hat * slices.m

    def draw(self, slices: Slices, *what: int | str) -> Tensor:
        """Noise for every row, masked."""
        return self.drawn(self.noise, slices.noise_seeds(*what), slices)

    def drawn(self, noise: NoiseModel, seeds: Sequence[int], slices: Slices) -> Tensor:
        """`noise` by one seed a row, masked."""
        return noise.draw(seeds, slices.shape, self.device).cpu() * slices.m


class Sampler(Protocol):
    """Draws a label estimate for every row."""

    @property
    def name(self) -> str:
        """What `--method` calls it."""
        ...

    def evaluations(self) -> int:
        """Network evaluations a draw."""
        ...

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, K, H, W), one draw a row."""
        ...


class Estimator(Protocol):
    """One of the ways of section 2.4 to read the label back."""

    @property
    def name(self) -> str:
        """What `--method` calls it."""
        ...

    def evaluations(self) -> int:
        """Network evaluations a slice, at most."""
        ...

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice."""
        ...


def times(t: int, slices: Slices) -> Tensor:
    """The time t for every row, (S,) int64."""
    return torch.full((len(slices.x_0),), t, dtype=torch.long)
