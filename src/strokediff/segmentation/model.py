"""A trained model, ready to segment: its network, process, noise, grid and what it is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, TypeAdapter, ValidationError
from torch import nn

from strokediff.core.process import SynchronousProcess
from strokediff.ct.grid import GridConfig
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.errors import InputError, UsageError
from strokediff.inference.presets import Choice
from strokediff.noise.base import NoiseModel
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Calibration
from strokediff.training.build import (
    build_network,
    build_task,
    outline_network,
    surroundings_of,
)
from strokediff.training.checkpoint import Checkpoint, read_checkpoint
from strokediff.training.noise import read_noise
from strokediff.training.weights import check_weights, load_weights

Chosen = TypeVar("Chosen", bound=BaseModel)


@dataclass(frozen=True)
class Model:
    """What `segment` needs of a checkpoint; `card` goes into result.json.

    `decisions` and `calibrations` are by "PRESET/METHOD", chosen on validation patients: what
    counts as a lesion, and how far volumes are off.
    """

    network: nn.Module
    process: SynchronousProcess
    noise: NoiseModel
    grid: GridConfig
    device: torch.device
    card: dict[str, Any]
    decisions: dict[str, Decision]
    calibrations: dict[str, Calibration]
    surroundings: Surroundings = ALONE
    compiled: bool = False

    def decision(self, choice: Choice) -> Decision:
        """What counts as a lesion: what was chosen for the model, its threshold that of the cut.

        A cut p of the probability (y_0 + 1) / 2 is a threshold of 2 p - 1.
        """
        own = self.decisions.get(replace(choice, cut=None).key, Decision())
        if choice.cut is None:
            return own
        return own.model_copy(update={"threshold": 2 * choice.cut - 1})


def compiled(model: Model) -> Model:
    """The model with its network compiled (torch.compile), which takes a minute or two at first.

    Its answers differ from the network's own by rounding. Raises `UsageError` where there is no
    compiler: on a CPU, PyTorch needs one for C++.
    """
    compiler = os.environ.get("CXX", "g++")
    if model.device.type == "cpu" and shutil.which(compiler) is None:
        raise UsageError(
            f"--compile needs a C++ compiler on a CPU, and there is no '{compiler}'. Install one, "
            "name it in CXX, or leave --compile out."
        )
    network: Any = torch.compile(model.network)
    return replace(model, network=network, compiled=True)


def load_model(path: Path, device: torch.device) -> Model:
    """Read a checkpoint folder; `InputError` if it is corrupt, foreign or of another method."""
    checkpoint = read_checkpoint(path)
    config = checkpoint.config
    if config.method != "sdpm":
        raise InputError(
            f"{path}: a checkpoint of method '{config.method}'. Expected one of 'sdpm', which "
            "'strokediff train' writes."
        )
    network = _network(checkpoint)
    task = build_task(config.training, read_noise(path, config.training))
    return Model(
        network=network.eval().to(device),
        process=task.process,
        noise=task.noise,
        grid=config.grid,
        device=device,
        card={
            "name": config.name,
            "method": config.method,
            "noise": config.noise,
            "noise_settings": task.noise.settings(),
            "trained_on": config.trained_on,
            "steps": config.step,
            "sha256": config.sha256,
            "strokediff": config.strokediff,
        },
        decisions=_from_metrics(checkpoint, "decision", Decision),
        calibrations=_from_metrics(checkpoint, "calibration", Calibration),
        surroundings=surroundings_of(config.training.network),
    )


def _from_metrics(checkpoint: Checkpoint, key: str, kind: type[Chosen]) -> dict[str, Chosen]:
    """What was chosen on validation patients; none if the model was not tuned on any."""
    adapter = TypeAdapter(dict[str, kind])  # type: ignore[valid-type]
    try:
        return adapter.validate_python(checkpoint.metrics.get(key, {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in (key, *first["loc"]))
        raise InputError(
            f"{checkpoint.path / 'metrics.json'}: {place}: {first['msg']}. "
            "Copy the whole folder again, or take the entry out."
        ) from None


def _network(checkpoint: Checkpoint) -> nn.Module:
    """The network with its weights; what does not fit is refused before it takes memory."""
    training, size = checkpoint.config.training, checkpoint.config.grid.size
    what = f"{checkpoint.path}: the weights do not fit the network that config.json describes"
    try:
        check_weights(outline_network(training, size), checkpoint.weights, what)
        network = build_network(training, size)
    except UsageError as error:
        raise InputError(f"{checkpoint.path / 'config.json'}: {error}") from None
    load_weights(network, checkpoint.weights, what)
    return network


def resolve_device(name: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps; `UsageError` if this machine has no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device '{name}'; expected auto, cpu, cuda, cuda:N or mps.") from None
    missing = (
        (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count())
        or (device.type == "mps" and not torch.backends.mps.is_available())
        or device.type not in ("cpu", "cuda", "mps")
    )
    if missing:
        raise UsageError(
            f"device '{name}' is not available: this PyTorch ({torch.__version__}) sees "
            f"{torch.cuda.device_count()} CUDA device(s). Use --device cpu, or install a build "
            "of PyTorch for your GPU."
        )
    return device
