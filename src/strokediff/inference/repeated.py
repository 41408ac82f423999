"""Estimates that are means over draws: of a fixed number, or until the volume is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from strokediff.inference.estimator import Context, LabelEstimate, Sampler, Slices
from strokediff.inference.tally import Tally


@dataclass(frozen=True)
class Tolerance:
    """Draw until the mean volume is known to +- `ml` (two-sided level `z`), slice by slice.

    With v_s the variance between a slice's n_s draws in mL^2, the mean volume's half-width is
    z sqrt(sum_s v_s / n_s). A slice is closed once its share v_s / n_s is at most (ml / z)^2 / S,
    so that the tolerance holds when all S are. It holds for the volume of every kind of lesion and
    for that of all joined, since each is reported: draws may agree on how much lesion there is and
    not on its kind. No slice is closed before `least` draws, since few draws can agree by chance;
    draws come in rounds of `least`. Raises `ValueError` unless ml > 0 and least >= 2, and for
    slices without `pixel_ml`.

    A slice whose draws agree is closed at once:

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.eye(4)[None, None]
    >>> pixel_ml = torch.tensor([0.02])
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), [0], 0, pixel_ml=pixel_ml)
    >>> context = Context(Oracle(process, slices.x_0, y_0 - 0.5), process, IsotropicNoise())
    >>> until_known = Repeated(Salient(T_i=5), repeats=100, tolerance=Tolerance(ml=1.0))
    >>> until_known.estimate(slices, context).tally.counts.tolist()
    [4]
    """

    ml: float
    z: float = 1.645
    least: int = 4

    def __post_init__(self) -> None:
        if self.ml <= 0 or self.least < 2:
            raise ValueError(f"expected ml > 0 and least >= 2, got {self}")

    def open(self, tally: Tally, slices: Slices) -> torch.Tensor:
        """Which slices need more draws, (S,) bool."""
        if slices.pixel_ml is None:
            raise ValueError("a tolerance in mL needs the volume of a pixel in every slice")
        per_draw = slices.pixel_ml.double() ** 2 / tally.counts.clamp(min=1)
        share = tally.every_area_variance * per_draw[:, None]
        budget = (self.ml / self.z) ** 2
        few = tally.counts < self.least
        if not few.any() and bool((share.sum(0) <= budget).all()):
            return few
        return few | (share > budget / len(share)).any(1)


@dataclass(frozen=True)
class Repeated:
    """1/N sum_n of a sampler's draws: N = `repeats`, or fewer where a tolerance is met.

    Raises `ValueError` for fewer than 1. As the paper sets y^sal and y^infer, at T = 500:

    >>> Repeated(Salient(T_i=250), repeats=100).evaluations()
    25000
    >>> Repeated(Algorithm1(T_i=250), repeats=50).evaluations()
    12500
    """

    sampler: Sampler
    repeats: int = 1
    tolerance: Tolerance | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"expected repeats >= 1, got {self.repeats}")

    @property
    def name(self) -> str:
        """The sampler's."""
        return self.sampler.name

    def evaluations(self) -> int:
        """repeats x the sampler's, a slice, at most."""
        return self.repeats * self.sampler.evaluations()

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice."""
        tally = context.store.load(self.name, context.blank(slices))
        context.advance(int(tally.counts.sum()) * self.sampler.evaluations())
        while rows := self._round(tally, slices):
            for start in range(0, len(rows), context.pack):
                index, draws = zip(*rows[start : start + context.pack], strict=True)
                chosen = slices.rows(index, draws)
                y_0 = self.sampler.draw(chosen, context)
                tally.add(index, y_0, chosen.m, context.threshold)
                context.store.keep(self.name, tally)
        spent = int(tally.counts.sum()) * self.sampler.evaluations()
        return LabelEstimate(tally.mean, tally, spent)

    def _round(self, tally: Tally, slices: Slices) -> list[tuple[int, int]]:
        """The next (slice, draw) pairs, by draw and then slice; none when all is known."""
        counts = tally.counts
        ends = torch.full_like(counts, self.repeats)
        if self.tolerance:
            least = self.tolerance.least
            more = (counts // least + 1) * least
            ends = torch.where(self.tolerance.open(tally, slices), more, counts).minimum(ends)
        spans = enumerate(zip(counts.tolist(), ends.tolist(), strict=True))
        rows = [(n, i) for i, (start, end) in spans for n in range(start, end)]
        return [(i, n) for n, i in sorted(rows)]
