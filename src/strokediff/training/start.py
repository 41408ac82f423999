"""Fine-tuning: a run that starts from the weights of another model instead of random ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.errors import InputError, UsageError
from strokediff.training.checkpoint import CheckpointConfig, read_checkpoint, read_config
from strokediff.training.config import TrainingPreset
from strokediff.training.weights import load_weights
from strokediff.util.kinds import JOINED
from strokediff.weights import model_path

STARTED_FROM = "; started from "
"""Between what a model was trained on and the model that it started from."""

SEES = "encoder.stem.weight"
"""The first convolution, (out, in, 3, 3): the slice itself, then what lies beside it."""


@dataclass(frozen=True)
class StartModel:
    """The model to start from. Its configuration is that of the new run, unless changed.

    >>> start = StartModel.of("phantom-stroke")
    >>> start.preset.size, start.preset.spacing_mm
    (96, 2.0)
    """

    path: Path
    config: CheckpointConfig

    @classmethod
    def of(cls, name_or_path: str | Path) -> StartModel:
        """A bundled model by its name, or a checkpoint's folder; its weights are not read yet.

        `InputError` if it is corrupt or of a method that has other networks.
        """
        path = model_path(str(name_or_path))
        config = read_config(path)
        if config.method != "sdpm":
            raise InputError(
                f"{path}: a checkpoint of method '{config.method}'. Expected one that "
                "'strokediff train' wrote ('sdpm')."
            )
        return cls(path, config)

    @property
    def preset(self) -> TrainingPreset:
        """The model's own configuration, which names the weights to start from, and its grid."""
        own = self.config
        training = own.training.model_copy(update={"start": own.sha256})
        return TrainingPreset(size=own.grid.size, spacing_mm=own.grid.spacing_mm, training=training)

    @property
    def about(self) -> str:
        """The model and what it was trained on, for the card of what is made of it."""
        own = self.config
        return f"{own.name} ({own.trained_on})"

    def load_into(self, module: nn.Module) -> None:
        """Give a network the weights; `UsageError` if it is not the same network.

        It may see more beside a slice (`neighbours`, `mirror`) than the model did: the weights of
        what is new are 0, so that the first step sees what the model saw. It may tell kinds of
        lesion apart where the model does not: each kind starts as any lesion.
        """
        weights = dict(read_checkpoint(self.path).weights)
        wanted = module.state_dict().get(SEES)
        if SEES in weights and weights[SEES].ndim == 4 and wanted is not None:
            weights[SEES] = _widened(weights[SEES], wanted.shape[1])
        if self.config.training.network.kinds == JOINED:
            weights = for_each_kind(weights, module)
        try:
            load_weights(module, weights, "its weights do not fit the network asked for")
        except InputError as error:
            raise UsageError(f"{self.path}: {error} Or leave its network as it is.") from None


def for_each_kind(weights: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Weights of a model of one kind of lesion for a network of several.

    Its last layer, (rows, ...), is there once for each kind; all others are as they are.
    """
    wanted = module.state_dict()
    return {name: _repeated(own, wanted.get(name, own)) for name, own in weights.items()}


def _repeated(weight: Tensor, wanted: Tensor) -> Tensor:
    own, asked = weight.shape, wanted.shape
    if own == asked or own[1:] != asked[1:] or not own or asked[0] % own[0]:
        return weight
    return torch.cat([weight] * (asked[0] // own[0]))


def _widened(weight: Tensor, channels: int) -> Tensor:
    """Zeros for the input channels that are new."""
    return F.pad(weight, (0, 0, 0, 0, 0, max(0, channels - weight.shape[1])))
