"""A run's noise: fitted on the patients that it trains on, and kept in every checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strokediff.cohort.brain_slices import BrainSlices
from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, UsageError
from strokediff.noise.base import NoiseModel
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.noise.registry import NOISE_MODELS, noise_family, settings_for
from strokediff.noise.store import load_noise, save_noise
from strokediff.training.config import NoiseConfig, TrainingConfig

FOLDER = "noise"


def check_noise(config: TrainingConfig) -> None:
    """`UsageError` if the noise has no such setting, or cannot be whitened where it must be."""
    name = config.noise.name
    given = config.noise.given()
    for setting in sorted(set(given) - set(settings_for(name, given))):
        having = [other for other in NOISE_MODELS if settings_for(other, {setting: None})]
        raise UsageError(
            f"noise '{name}' has no setting '{setting}' (got {given[setting]}); leave it out, or "
            f"choose one of: {', '.join(having)}."
        )
    if config.noise_loss == "mahalanobis" and not hasattr(noise_family(name), "whiten"):
        raise UsageError(
            f"noise '{name}' cannot be whitened, which the Mahalanobis loss needs. Choose one of: "
            f"{', '.join(n for n, f in NOISE_MODELS.items() if hasattr(f, 'whiten'))}; or train "
            "with the mean squared error (mse)."
        )


def fit_noise(config: TrainingConfig, cohort: Cohort) -> NoiseModel:
    """The configured noise, fitted on the brain slices of the training patients alone.

    Its margin of white noise is as wide as augmentation moves a brain.
    """
    check_noise(config)
    chosen: NoiseConfig = config.noise
    if chosen.name == IsotropicNoise.name:
        return IsotropicNoise()
    settings: dict[str, Any] = {
        "margin": round(chosen.margin * cohort.grid.size),
        "seed": config.seed,
        **chosen.given(),
    }
    return noise_family(chosen.name).fit(BrainSlices(cohort, cohort.split["train"]), **settings)


def write_noise(checkpoint: Path, noise: NoiseModel | None) -> None:
    """Into CHECKPOINT/noise; nothing where there is nothing to keep."""
    if noise is not None and noise.tensors():
        save_noise(checkpoint / FOLDER, noise)


def read_noise(checkpoint: Path, config: TrainingConfig) -> NoiseModel:
    """Undo `write_noise`; `InputError` if it is not the noise that the configuration names."""
    if config.noise.name == IsotropicNoise.name:
        return IsotropicNoise()
    noise = load_noise(checkpoint / FOLDER)
    if noise.name != config.noise.name:
        raise InputError(
            f"{checkpoint / FOLDER}: '{noise.name}' noise, and config.json beside it says "
            f"'{config.noise.name}'. Copy the whole checkpoint again."
        )
    return noise
