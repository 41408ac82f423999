"""An interval for the volume: conformal where the model was calibrated, else the draws' spread.

A score says how far a found volume v is from the true one, on the scale that the form of the
interval takes for the size of errors:

    ratio       |log((v + 1 mL) / (v_true + 1 mL))|     errors grow with the volume
    difference  |v - v_true|                            errors are of one size
    doubt       |v - v_true| / (d + 2 mL)               errors grow with the entropy's volume d

With the conformal quantile q of the scores of n patients, the interval is all volumes whose
score is at most q.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

OFFSET_ML = 1.0
"""Keeps the logarithm of small volumes tame: errors below 1 mL count little."""
DOUBT_OFFSET_ML = 2.0
"""No result is so sure that its error is expected to be 0."""


@dataclass(frozen=True)
class Measured:
    """A patient's found volume, and the entropy of the brain (bit mL): how unsure it is."""

    volume_ml: float
    doubt_ml: float = 0.0


class Form(Protocol):
    """A scale for the errors of volumes."""

    def score(self, found: Measured, true_ml: float) -> float:
        """How far `found` is from the truth."""
        ...

    def interval(self, found: Measured, q: float) -> tuple[float, float]:
        """The volumes with a score of at most q, mL; the lower end may be negative."""
        ...


class Ratio:
    """|log((v + 1 mL) / (v_true + 1 mL))|."""

    def score(self, found: Measured, true_ml: float) -> float:
        """How far `found` is from the truth."""
        return abs(math.log((found.volume_ml + OFFSET_ML) / (true_ml + OFFSET_ML)))

    def interval(self, found: Measured, q: float) -> tuple[float, float]:
        """The volumes with a score of at most q, mL."""
        v = found.volume_ml + OFFSET_ML
        return v * math.exp(-q) - OFFSET_ML, v * math.exp(q) - OFFSET_ML


class Difference:
    """|v - v_true|."""

    def score(self, found: Measured, true_ml: float) -> float:
        """How far `found` is from the truth."""
        return abs(found.volume_ml - true_ml)

    def interval(self, found: Measured, q: float) -> tuple[float, float]:
        """The volumes with a score of at most q, mL."""
        return found.volume_ml - q, found.volume_ml + q


class Doubt:
    """|v - v_true| / (d + 2 mL)."""

    def score(self, found: Measured, true_ml: float) -> float:
        """How far `found` is from the truth."""
        return abs(found.volume_ml - true_ml) / (found.doubt_ml + DOUBT_OFFSET_ML)

    def interval(self, found: Measured, q: float) -> tuple[float, float]:
        """The volumes with a score of at most q, mL."""
        reach = q * (found.doubt_ml + DOUBT_OFFSET_ML)
        return found.volume_ml - reach, found.volume_ml + reach


MAX_QUANTILE = {"ratio": 100.0, "difference": 1e6, "doubt": 1e6}
"""Larger than any error of volumes that fit into a head; e^710 is no float64."""

FORMS: dict[str, Form] = {"ratio": Ratio(), "difference": Difference(), "doubt": Doubt()}


class Calibration(BaseModel):
    """Split-conformal quantile of the scores of n patients, in one of the forms.

    With probability `level` or more a new patient from the same population lies in the interval
    (Vovk et al. 2005; the patients must be exchangeable, so no promise holds on scanners unlike
    the calibration's).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["ratio", "difference", "doubt"] = "ratio"
    quantile: float = Field(ge=0, allow_inf_nan=False)
    level: float = Field(gt=0, lt=1)
    n: int = Field(ge=1, le=10**9)
    population: str = "patients"

    @model_validator(mode="after")
    def _possible(self) -> Calibration:
        most = MAX_QUANTILE[self.form]
        if self.quantile > most:
            raise ValueError(
                f"a quantile of {self.quantile:g}, expected at most {most:g} (form '{self.form}')"
            )
        return self

    @property
    def kind(self) -> str:
        """What the interval is, in words."""
        few = "" if self.enough else ", too few to promise it"
        whom = f"{self.n} {self.population}{few}"
        return f"{self.level:.0%} conformal ({self.form}), calibrated on {whom}"

    @property
    def enough(self) -> bool:
        """Whether so many patients can promise the level: ceil((n + 1) level) <= n."""
        return self.n >= needed(self.level)

    def interval_ml(self, found: Measured) -> tuple[float, float]:
        """The interval around a found volume, mL; never below 0."""
        low, high = FORMS[self.form].interval(found, self.quantile)
        return max(0.0, low), high


def conformal(
    found: Sequence[Measured],
    true_ml: Sequence[float],
    level: float = 0.9,
    population: str = "patients",
    form: str = "ratio",
) -> Calibration:
    """The ceil((n + 1) level)-th smallest score of n patients; the largest if n is too small."""
    if len(found) != len(true_ml) or not len(found):
        raise ValueError(
            f"expected as many found as true volumes, got {len(found)}, {len(true_ml)}"
        )
    scores = [FORMS[form].score(f, t) for f, t in zip(found, true_ml, strict=True)]
    return Calibration.model_validate(
        {
            "form": form,
            "quantile": quantile_of(scores, level),
            "level": level,
            "n": len(scores),
            "population": population,
        }
    )


def quantile_of(scores: Sequence[float], level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n scores; the largest if n is too small."""
    rank = min(len(scores), math.ceil((len(scores) + 1) * level))
    return sorted(scores)[rank - 1]


def needed(level: float) -> int:
    """The fewest patients that can promise the level: the least n of ceil((n + 1) level) <= n.

    >>> needed(0.9), needed(0.95)
    (9, 19)
    """
    n = max(1, math.floor(level / (1 - level)) - 1)
    while math.ceil((n + 1) * level) > n:
        n += 1
    return n


def spread_ml(volume_ml: float, variance_ml2: float, z: float = 1.645) -> tuple[float, float]:
    """volume -+ z standard deviations between draws, never below 0: how much the draws differ."""
    reach = z * math.sqrt(variance_ml2)
    return max(0.0, volume_ml - reach), volume_ml + reach
