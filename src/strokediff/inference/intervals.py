"""An interval for the volume: conformal where the model was calibrated, else the draws' spread."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

OFFSET_ML = 1.0
"""Keeps the logarithm of small volumes tame: errors below 1 mL count little."""


class Calibration(BaseModel):
    """Split-conformal quantile of |log((v + 1 mL) / (v_true + 1 mL))| over n patients.

    With probability `level` or more a new patient from the same population lies within the
    quantile (Vovk et al. 2005; the patients must be exchangeable, so no promise holds on
    scanners unlike the calibration's).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantile: float = Field(ge=0)
    level: float = Field(gt=0, lt=1)
    n: int = Field(ge=1)
    population: str = "patients"

    @property
    def kind(self) -> str:
        """What the interval is, in words."""
        return f"{self.level:.0%} conformal, calibrated on {self.n} {self.population}"

    def interval_ml(self, volume_ml: float) -> tuple[float, float]:
        """The interval around a found volume, mL; never below 0."""
        v = volume_ml + OFFSET_ML
        low = max(0.0, v * math.exp(-self.quantile) - OFFSET_ML)
        return low, v * math.exp(self.quantile) - OFFSET_ML


def calibrate(
    found_ml: Sequence[float],
    true_ml: Sequence[float],
    level: float = 0.9,
    population: str = "patients",
) -> Calibration:
    """The ceil((n + 1) level)-th smallest score of n patients; the largest if n is too small."""
    found, true = np.asarray(found_ml), np.asarray(true_ml)
    if len(found) != len(true) or not len(found):
        raise ValueError(f"expected as many found as true volumes, got {len(found)}, {len(true)}")
    scores = np.sort(np.abs(np.log((found + OFFSET_ML) / (true + OFFSET_ML))))
    rank = min(len(scores), math.ceil((len(scores) + 1) * level))
    return Calibration(
        quantile=float(scores[rank - 1]), level=level, n=len(scores), population=population
    )


def spread_ml(volume_ml: float, variance_ml2: float, z: float = 1.645) -> tuple[float, float]:
    """volume -+ z standard deviations between draws, never below 0: how much the draws differ."""
    reach = z * math.sqrt(variance_ml2)
    return max(0.0, volume_ml - reach), volume_ml + reach
