"""Fine-tuning: a run that starts from the weights of another model instead of random ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.errors import InputError, UsageError
from strokediff.training.checkpoint import Checkpoint, read_checkpoint
from strokediff.training.config import Preset
from strokediff.training.weights import load_weights

STARTED_FROM = "; started from "
"""Between what a model was trained on and the model that it started from."""


SEES = "encoder.stem.weight"
"""The first convolution, (out, in, 3, 3): the slice itself, then what lies beside it."""


@dataclass(frozen=True)
class Start:
    """The model to start from. Its configuration is that of the new run, unless changed."""

    checkpoint: Checkpoint

    @classmethod
    def of(cls, path: Path) -> Start:
        """Read it; `InputError` if it is corrupt or of a method that has other networks."""
        found = read_checkpoint(path)
        if found.config.method != "sdpm":
            raise InputError(
                f"{path}: a checkpoint of method '{found.config.method}'. Expected one that "
                "'strokediff train' wrote ('sdpm')."
            )
        return cls(found)

    @property
    def preset(self) -> Preset:
        """The model's own configuration, which names the weights to start from, and its grid."""
        own = self.checkpoint.config
        training = own.training.model_copy(update={"start": own.sha256})
        return Preset(size=own.grid.size, spacing_mm=own.grid.spacing_mm, training=training)

    @property
    def about(self) -> str:
        """The model and what it was trained on, for the card of what is made of it."""
        own = self.checkpoint.config
        return f"{own.name} ({own.trained_on})"

    def load_into(self, module: nn.Module) -> None:
        """Give a network the weights; `UsageError` if it is not the same network.

        It may see more beside a slice (`neighbours`, `mirror`) than the model did: the weights of
        what is new are 0, so that the first step sees what the model saw.
        """
        weights = dict(self.checkpoint.weights)
        wanted = module.state_dict().get(SEES)
        if SEES in weights and weights[SEES].ndim == 4 and wanted is not None:
            weights[SEES] = _widened(weights[SEES], wanted.shape[1])
        try:
            load_weights(module, weights, "its weights do not fit the network asked for")
        except InputError as error:
            raise UsageError(
                f"{self.checkpoint.path}: {error} Or leave its network as it is."
            ) from None


def _widened(weight: Tensor, channels: int) -> Tensor:
    """Zeros for the input channels that are new."""
    return F.pad(weight, (0, 0, 0, 0, 0, max(0, channels - weight.shape[1])))
