"""A checkpoint is a folder: safetensors, plain JSON, nothing pickled.

config.json          what the model is, on what it was trained, sha256 of its weights
model.safetensors    the averaged weights that inference uses
noise/               its noise model, unless that is isotropic
split.json           the patients it saw
metrics.json         its figures
state/               (to resume) raw weights, Adam's moments, the step
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from strokediff import __version__
from strokediff.data.preprocess import GridConfig
from strokediff.errors import InputError
from strokediff.tensorfile import read_tensors, write_tensors
from strokediff.training.config import TrainingConfig

FORMAT = 2
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin")


class CheckpointConfig(BaseModel):
    """config.json."""

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    strokediff: str = __version__
    name: str
    method: str
    scale: str = ""
    noise: str = "isotropic"
    schedule: str = "sigmoid"
    grid: GridConfig
    training: TrainingConfig
    trained_on: str
    step: int
    sha256: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and verified."""

    path: Path
    config: CheckpointConfig
    weights: dict[str, Tensor]
    metrics: dict[str, Any]


def write_checkpoint(
    folder: Path,
    config: CheckpointConfig,
    weights: dict[str, Tensor],
    *,
    split: dict[str, list[str]],
    metrics: dict[str, Any],
) -> None:
    """Write the files of a checkpoint into an existing folder (its owner renames it)."""
    digest = write_tensors(folder / "model.safetensors", weights)
    stamped = config.model_copy(update={"sha256": digest})
    (folder / "config.json").write_text(stamped.model_dump_json(indent=1))
    (folder / "split.json").write_text(json.dumps(split, indent=1))
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint folder; `InputError` says what is wrong with it."""
    if path.suffix in PICKLES and not path.is_dir():
        raise InputError(
            f"{path}: a pickled checkpoint, which could run code when loaded. Expected a "
            "strokediff checkpoint folder with config.json and model.safetensors."
        )
    if not path.is_dir() or not (path / "config.json").is_file():
        raise InputError(
            f"{path}: not a checkpoint. Expected a folder with config.json and "
            "model.safetensors, as 'strokediff train' writes it (RUN/model)."
        )
    config = _read_config(path / "config.json")
    weights = read_tensors(
        path / "model.safetensors", config.sha256, whole="checkpoint", named_in="config.json"
    )
    return Checkpoint(path, config, weights, _read_metrics(path / "metrics.json"))


def read_split(path: Path) -> dict[str, list[str]]:
    """The patients that a checkpoint was trained, validated and tested on, by split."""
    file = path / "split.json"
    try:
        found: dict[str, list[str]] = TypeAdapter(dict[str, list[str]]).validate_json(
            file.read_bytes()
        )
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{file}: cannot be read as a split ({str(error).splitlines()[0]}). Copy the whole "
            "folder again."
        ) from None
    return found


def _read_config(file: Path) -> CheckpointConfig:
    try:
        raw = json.loads(file.read_text())
    except (ValueError, OSError) as error:
        raise InputError(
            f"{file}: corrupt checkpoint, not JSON ({error}). Copy it again."
        ) from None
    found = raw.get("format") if isinstance(raw, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{file}: checkpoint of format {found!r}, this strokediff {__version__} reads format "
            f"{FORMAT}. Use the version that wrote it ({_version_of(raw)}), or train again."
        )
    try:
        return CheckpointConfig(**raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{file}: corrupt checkpoint, '{where}': {first['msg']}. It was written by strokediff "
            f"{_version_of(raw)}; copy it again or train again."
        ) from None


def _read_metrics(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{file}: corrupt, not JSON ({error}). Copy it again.") from None
    if not isinstance(found, dict):
        raise InputError(f"{file}: corrupt, expected a JSON object. Copy it again.")
    return found


def _version_of(raw: Any) -> str:
    return str(raw.get("strokediff", "unknown")) if isinstance(raw, dict) else "unknown"
