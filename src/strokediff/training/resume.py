"""What lies in a run's folder, and whether a run may go on from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, UsageError
from strokediff.noise.base import NoiseModel
from strokediff.training.checkpoint import Checkpoint, read_config, read_split
from strokediff.training.config import TrainingConfig
from strokediff.training.noise import fit_noise, read_noise


def check_own(path: Path, config: TrainingConfig, cohort: Cohort) -> None:
    """Refuse, by `UsageError`, a checkpoint of another configuration, grid or split."""
    kept = read_config(path)
    if kept.training != config:
        differ = "; ".join(_differences(kept.training.model_dump(), config.model_dump()))
        raise UsageError(
            f"{path}: was trained with another configuration ({differ}). Repeat the options it was "
            "started with, or choose another folder; a finished model goes on with --from."
        )
    if kept.grid != cohort.grid or read_split(path) != cohort.split:
        raise UsageError(
            f"{path}: was trained on other patients than {cohort.path} has to train on, or on "
            "another grid (its split.json and config.json). Train on the cohort it was started "
            "with, or choose another folder."
        )


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """ "FIELD: this there, that asked for", as --set names fields."""
    for key, value in asked.items():
        old = kept.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            yield from (f"{key}.{line}" for line in _differences(old, value))
        elif old != value:
            yield f"{key}: {old} there, {value} asked for"


def history_of(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """The figures of each validation until then; `InputError` if there are none to be read."""
    kept = checkpoint.metrics.get("validation", [])
    try:
        return TypeAdapter(list[dict[str, int | float]]).validate_python(kept)
    except ValidationError as error:
        raise InputError(
            f"{checkpoint.path / 'metrics.json'}: 'validation': {error.errors()[0]['msg']}. Delete "
            "this checkpoint to resume from the one before it."
        ) from None


def checkpoints(run: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    return sorted((run / "checkpoints").glob("step-*"))


def noise_of_run(
    folder: Path, cohort: Cohort, config: TrainingConfig, *, resume: bool
) -> NoiseModel:
    """The noise to train with: that of the last checkpoint to resume from, else fitted now."""
    found = checkpoints(folder) if resume else []
    if found and read_config(found[-1]).training.noise == config.noise:
        return read_noise(found[-1], config)
    return fit_noise(config, cohort)
