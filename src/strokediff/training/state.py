"""What a run needs to go on as if it had never stopped, in safetensors and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from strokediff.errors import InputError


class Average:
    """Exponential moving average of the weights, taken every few steps.

    What cannot be averaged, such as a table of indices, is kept as it is now.
    """

    def __init__(self, module: nn.Module, decay: float, every: int) -> None:
        self.decay = decay
        self.every = every
        self.weights = {k: v.detach().clone() for k, v in module.state_dict().items()}

    def update(self, module: nn.Module, step: int) -> None:
        """Take `module` in after `step`; early on the decay is smaller, so that it forgets."""
        if step % self.every:
            return
        count = step // self.every
        decay = min(self.decay, (1 + count) / (10 + count))
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.weights[key].lerp_(value.detach(), 1 - decay)
            else:
                self.weights[key].copy_(value)


def save_state(
    folder: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write raw weights, the optimizer's moments and the step into `folder`."""
    folder.mkdir()
    weights = {k: v.detach().contiguous() for k, v in module.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    moments = {
        f"{index}.{key}": value.contiguous()
        for index, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
    }
    save_file(moments, folder / "optimizer.safetensors")
    (folder / "state.json").write_text(json.dumps({"step": step}))


def load_state(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Undo `save_state`; returns the step."""
    try:
        step = int(json.loads((folder / "state.json").read_text())["step"])
        module.load_state_dict(load_file(folder / "weights.safetensors"))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(folder / "optimizer.safetensors").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
    except Exception as error:
        raise InputError(
            f"{folder}: the training state cannot be read ({error}). Delete this checkpoint to "
            "resume from the one before it."
        ) from None
    groups: list[Any] = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return step
