"""Intervals by how much was found: patients with nothing, little and much found err differently.

One quantile for all patients is that of the worst of them: where nothing is found the truth is
mostly nothing, small findings are often none at all, and large ones are off by a share of
themselves. So patients are binned by the found volume v, and each bin has the conformal quantile q
of its own scores |v - t| / s(v, d), with t the true volume, d the doubt (entropy over the brain,
bit mL) and one of the scales

    1            errors are of one size             v        they grow with the volume
    d_0 + d      they grow with the doubt           v + d    with both

d_0 being the bin's median doubt; the first two alone where nothing may be found. The interval is
v - q s to v + q s; where nothing was found its upper end is what may have been missed. The promise
is one in each bin (Mondrian conformal prediction, Vovk et al. 2005); that bins and scale are chosen
by the same patients costs a little of it, the less the more they are. In another unit of volume the
interval is the same in that unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from strokediff.result.figures import Exceeds
from strokediff.segmentation.intervals import Measured, needed, quantile_of

THRESHOLDS_ML = (1.0, 10.0, 30.0, 50.0, 70.0, 100.0)
"""That trials of stroke have chosen patients by, and 1 mL: whether there is anything."""
MOST_BINS = 4
"""Of patients with something found."""
SHARE_OF_MEAN = 0.05
"""Of the mean true volume: widths below count alike when scales are compared."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reach(_Frozen):
    """s(v, d) = ml + by_volume v + by_doubt d, mL: how far off a volume is expected to be.

    >>> Reach(ml=1.0, by_volume=0.5).of(Measured(10.0))
    6.0
    """

    ml: float = Field(0.0, ge=0, le=1e6)
    by_volume: float = Field(0.0, ge=0, le=1e6)
    by_doubt: float = Field(0.0, ge=0, le=1e6)

    def of(self, found: Measured) -> float:
        """For a patient, mL."""
        return self.ml + self.by_volume * found.volume_ml + self.by_doubt * found.doubt_ml

    def score(self, found: Measured, true_ml: float) -> float:
        """|t - v| / s; 0 where v = t, infinite where nothing else was expected."""
        return abs(self.error(found, true_ml))

    def error(self, found: Measured, true_ml: float) -> float:
        """(t - v) / s, in the same way."""
        off, scale = true_ml - found.volume_ml, self.of(found)
        return 0.0 if off == 0 else off / scale if scale else math.copysign(math.inf, off)


class Bin(_Frozen):
    """Patients with more than `above_ml` found, up to the next bin: their scale and quantile.

    `errors` are (t - v) / s of each, in order; empty in calibrations of before there were any.
    """

    above_ml: float = Field(ge=-1, le=1e6, description="-1: nothing found too.")
    reach: Reach
    quantile: float = Field(ge=0, le=1e9)
    n: int = Field(ge=1, le=10**9)
    errors: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _one_each(self) -> Bin:
        if self.errors and (len(self.errors) != self.n or not np.isfinite(self.errors).all()):
            raise ValueError(f"expected none or {self.n} finite errors, got {len(self.errors)}")
        return self

    def exceeds(self, found: Measured, volume_ml: float) -> float | None:
        """P(t >= volume_ml); None where the patients' errors are not known."""
        if not self.errors:
            return None
        scale = self.reach.of(found)
        k = sum(found.volume_ml + scale * error >= volume_ml for error in self.errors)
        return (k + 0.5) / (self.n + 1)


class BinnedCalibration(_Frozen):
    """Bins in order of the found volume; the first has everybody below the second.

    >>> own = BinnedCalibration(level=0.9, bins=(
    ...     Bin(above_ml=-1, reach=Reach(ml=1.0), quantile=1.5, n=30),
    ...     Bin(above_ml=0, reach=Reach(by_volume=1.0), quantile=0.4, n=20),
    ... ))
    >>> own.interval_ml(Measured(0.0)), own.interval_ml(Measured(20.0))
    ((0.0, 1.5), (12.0, 28.0))
    """

    form: Literal["binned"] = "binned"
    bins: tuple[Bin, ...] = Field(min_length=1, max_length=MOST_BINS + 1)
    level: float = Field(gt=0, lt=1)
    population: str = "patients"

    @model_validator(mode="after")
    def _in_order(self) -> BinnedCalibration:
        if any(low.above_ml >= high.above_ml for low, high in pairwise(self.bins)):
            raise ValueError("expected bins in order of their volumes")
        return self

    @property
    def n(self) -> int:
        """Patients that gave the quantiles."""
        return sum(one.n for one in self.bins)

    @property
    def enough(self) -> bool:
        """Whether so many patients can promise the level."""
        return min(one.n for one in self.bins) >= needed(self.level)

    @property
    def kind(self) -> str:
        """What the interval is, in words."""
        few = "" if self.enough else ", too few to promise it"
        return f"{self.level:.0%} conformal (binned), calibrated on {self.n} {self.population}{few}"

    def interval_ml(self, found: Measured) -> tuple[float, float]:
        """The interval around a found volume, mL; never below 0."""
        own = self._bin_of(found)
        reach = own.quantile * own.reach.of(found)
        return max(0.0, found.volume_ml - reach), found.volume_ml + reach

    def exceeds(self, found: Measured) -> list[Exceeds]:
        """P(t >= c) for every threshold c of `THRESHOLDS_ML`; none where errors are not known.

        A conformal predictive distribution (Vovk et al. 2019): of the n patients of the bin, k
        had an error with which t >= c. That of a new one is (k + 1/2) / (n + 1), within half of
        1 / (n + 1) of what his place among them leaves open.
        """
        own = self._bin_of(found)
        known = {c: own.exceeds(found, c) for c in THRESHOLDS_ML}
        return [
            Exceeds(volume_ml=c, probability=round(p, 4), n=own.n)
            for c, p in known.items()
            if p is not None
        ]

    def _bin_of(self, found: Measured) -> Bin:
        own = [one for one in self.bins[1:] if found.volume_ml > one.above_ml]
        return own[-1] if own else self.bins[0]


def binned_conformal(
    found: Sequence[Measured],
    true_ml: Sequence[float],
    level: float = 0.9,
    population: str = "patients",
) -> BinnedCalibration:
    """Bins of as many patients as the level needs, each by the scale that is narrowest in it.

    Nothing found is a bin of its own if enough patients have that; of the others there are two
    bins, up to four if each has twice as many as needed. Patients too few for a bin share one.
    Raises `ValueError` unless there are as many true volumes as found ones, one or more.
    """
    if len(found) != len(true_ml) or not len(found):
        raise ValueError(
            f"expected as many found as true volumes, got {len(found)}, {len(true_ml)}"
        )
    edges = _edges([one.volume_ml for one in found], needed(level))
    floor = SHARE_OF_MEAN * float(np.mean(true_ml))
    bins = []
    for k, edge in enumerate(edges):
        top = edges[k + 1] if k + 1 < len(edges) else float("inf")
        own = [(f, t) for f, t in zip(found, true_ml, strict=True) if edge < f.volume_ml <= top]
        reach = _narrowest(own, WITH_NOTHING if edge < 0 else tuple(SCALES), level, floor)
        quantile = quantile_of([reach.score(f, t) for f, t in own], level)
        errors = tuple(sorted(round(reach.error(f, t), 6) for f, t in own))
        bins.append(Bin(above_ml=edge, reach=reach, quantile=quantile, n=len(own), errors=errors))
    return BinnedCalibration(bins=tuple(bins), level=level, population=population)


def _edges(volumes: Sequence[float], least: int) -> list[float]:
    """The lower ends of the bins, each with `least` patients or more; -1 is below all."""
    v = np.array(volumes)
    some = v[v > 0]
    count = max(min(2, len(some) // least), min(MOST_BINS, len(some) // (2 * least)))
    inner = np.quantile(some, np.arange(1, count) / count).tolist() if count else []
    edges = [-1.0]
    for edge in (0.0, *inner):
        below, above = np.sum((v > edges[-1]) & (v <= edge)), np.sum(v > edge)
        if min(below, above) >= least:
            edges.append(edge)
    return edges


_Pairs = Sequence[tuple[Measured, float]]
SCALES: Mapping[str, Callable[[float], Reach]] = {
    "size": lambda doubt_ml: Reach(ml=1.0),
    "volume": lambda doubt_ml: Reach(by_volume=1.0),
    "doubt": lambda doubt_ml: Reach(ml=doubt_ml, by_doubt=1.0),
    "both": lambda doubt_ml: Reach(by_volume=1.0, by_doubt=1.0),
}
"""By name, from the median doubt of the patients."""
WITH_NOTHING = ("size", "doubt")
"""Where nothing may be found: v says nothing then, and a small doubt alone would promise much."""


def _narrowest(pairs: _Pairs, names: Sequence[str], level: float, floor: float) -> Reach:
    """The scale whose intervals are narrowest: of either half at the quantile of the other."""
    doubt_ml = float(np.median([f.doubt_ml for f, _ in pairs]))
    scales = [SCALES[name](doubt_ml) for name in names]
    halves = (pairs[::2], pairs[1::2] or pairs)

    def width(reach: Reach) -> float:
        logs = []
        for own, other in (halves, halves[::-1]):
            q = quantile_of([reach.score(f, t) for f, t in own], level)
            logs += [np.log(2 * q * reach.of(f) + floor + 1e-9) for f, _ in other]
        return float(np.mean(logs))

    possible = [s for s in scales if all(np.isfinite(s.score(f, t)) for f, t in pairs)]
    return min(possible, key=width)
