"""The noise models by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from strokediff.errors import UsageError
from strokediff.noise.calibrated import CalibratedFourierNoise
from strokediff.noise.fourier import FourierNoise
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.noise.low_rank import LowRankNoise
from strokediff.noise.scanner import ScannerNoise
from strokediff.noise.scanner_low_rank import ScannerLowRankNoise
from strokediff.noise.standardised import StandardisedFourierNoise

NoiseFamily = (
    type[IsotropicNoise]
    | type[FourierNoise]
    | type[StandardisedFourierNoise]
    | type[CalibratedFourierNoise]
    | type[LowRankNoise]
    | type[ScannerNoise]
    | type[ScannerLowRankNoise]
)

NOISE_MODELS: dict[str, NoiseFamily] = {
    "isotropic": IsotropicNoise,
    "fourier": FourierNoise,
    "fourier-standardised": StandardisedFourierNoise,
    "calibrated": CalibratedFourierNoise,
    "low-rank": LowRankNoise,
    "scanner": ScannerNoise,
    "scanner-low-rank": ScannerLowRankNoise,
}


def noise_family(name: str) -> NoiseFamily:
    """The class of that name, or `UsageError` naming them all."""
    if name not in NOISE_MODELS:
        raise UsageError(f"no noise model '{name}'; expected one of: {', '.join(NOISE_MODELS)}")
    return NOISE_MODELS[name]


def settings_for(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the wanted settings that the model's `fit` has."""
    known = inspect.signature(noise_family(name).fit).parameters
    return {key: value for key, value in wanted.items() if key in known}
