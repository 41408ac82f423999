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

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from torch import Tensor

from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError
from strokediff.training.config import TrainingConfig
from strokediff.util.jsonfile import read_json
from strokediff.util.tensorfile import read_tensors, write_tensors
from strokediff.version import __version__

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
    grid: GridConfig
    training: TrainingConfig
    trained_on: str
    step: int = Field(ge=0)
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _without_schedule(cls, content: Any) -> Any:
        """Version 0.1.0 named the schedule, of which there was one."""
        if isinstance(content, dict) and content.get("schedule") == "sigmoid":
            return {key: value for key, value in content.items() if key != "schedule"}
        return content


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
    """Write the files of a checkpoint into an existing folder (its owner renames it).

    `split` names the patients of "train", "val" and "test"; `metrics` are plain JSON values.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from strokediff.training.config import training_preset
    >>> config = CheckpointConfig(
    ...     name="mine", method="sdpm", grid=GridConfig(), trained_on="phantoms", step=5,
    ...     training=training_preset("tiny").training,
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     write_checkpoint(Path(folder), config, {"w": torch.ones(2)}, split={}, metrics={})
    ...     read_checkpoint(Path(folder)).weights
    {'w': tensor([1., 1.])}
    """
    digest = write_tensors(folder / "model.safetensors", weights)
    stamped = config.model_copy(update={"sha256": digest})
    (folder / "config.json").write_text(stamped.model_dump_json(indent=1))
    (folder / "split.json").write_text(json.dumps(split, indent=1))
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint folder; `InputError` says what is wrong with it.

    >>> from strokediff.weights import model_path
    >>> sum(w.numel() for w in read_checkpoint(model_path("phantom-stroke")).weights.values())
    1350186
    """
    config = read_config(path)
    weights = read_tensors(
        path / "model.safetensors", config.sha256, whole="checkpoint", named_in="config.json"
    )
    return Checkpoint(path, config, weights, read_metrics(path))


def read_config(path: Path) -> CheckpointConfig:
    """What a checkpoint says that it is; its weights are neither read nor verified.

    >>> from strokediff.weights import model_path
    >>> read_config(model_path("phantom-stroke")).grid.spacing_mm
    2.0
    """
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
    file = path / "config.json"
    raw = read_json(file, "a checkpoint's configuration")
    found = raw.get("format")
    if found != FORMAT:
        raise InputError(
            f"{file}: checkpoint of format {found!r:.50}, this strokediff {__version__} reads "
            f"format {FORMAT}. Use the version that wrote it ({_version_of(raw)}), or train again."
        )
    try:
        return CheckpointConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{file}: corrupt checkpoint, '{where[:100]}': {first['msg']}. It was written by "
            f"strokediff {_version_of(raw)}; copy it again or train again."
        ) from None


def read_split(path: Path) -> dict[str, list[str]]:
    """The patients that a checkpoint was trained, validated and tested on, by split."""
    file = path / "split.json"
    try:
        return TypeAdapter(dict[str, list[str]]).validate_python(
            read_json(file, "the patients of each split", remedy="Copy the whole folder again.")
        )
    except ValidationError as error:
        raise InputError(
            f"{file}: cannot be read as a split ({error.errors()[0]['msg']}). Copy the whole "
            "folder again."
        ) from None


def read_metrics(path: Path) -> dict[str, Any]:
    """The figures of a checkpoint, and what was chosen for it; none if it has none."""
    file = path / "metrics.json"
    return read_json(file, "a checkpoint's figures") if file.exists() else {}


def _version_of(raw: dict[str, Any]) -> str:
    return str(raw.get("strokediff", "unknown"))[:50]
