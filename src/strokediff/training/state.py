"""What a run needs to go on as if it had never stopped, in safetensors and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from strokediff.errors import InputError
from strokediff.training.weights import load_weights
from strokediff.util.jsonfile import read_json
from strokediff.util.tensorfile import read_tensors, write_tensors

WHOLE = "training state"
REMEDY = "Delete this checkpoint to resume from the one before it."
MOMENTS = ("exp_avg", "exp_avg_sq")


class Average:
    """Exponential moving average of the weights, taken every few steps and after the last.

    Update k after step s_k is w <- d_k w + (1 - d_k) w(s_k), d_k = min(decay, (1 + k) / (10 + k)):
    early on the decay is smaller, so that the untrained weights are forgotten. k = 1, 2, ... counts
    the updates: s_k = k every, and one more after step `last`, wherever that falls (0: none).

    What cannot be averaged, such as a table of indices, is kept as it is now.
    """

    def __init__(self, module: nn.Module, decay: float, every: int, last: int = 0) -> None:
        self.decay = decay
        self.every = every
        self.last = last
        self.weights = {k: v.detach().clone() for k, v in module.state_dict().items()}

    def update(self, module: nn.Module, step: int) -> None:
        """Take `module` in after `step`, if an update is due there."""
        if step % self.every and step != self.last:
            return
        k = -(-step // self.every)
        decay = min(self.decay, (1 + k) / (10 + k))
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
    weights = {k: v.detach() for k, v in module.state_dict().items()}
    moments = {
        f"{index}.{key}": value
        for index, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
    }
    kept = {
        "step": step,
        "weights": write_tensors(folder / "weights.safetensors", weights),
        "optimizer": write_tensors(folder / "optimizer.safetensors", moments),
    }
    (folder / "state.json").write_text(json.dumps(kept))


def load_state(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Undo `save_state`; returns the step. `InputError` if a file is damaged or of another run."""
    try:
        kept = read_json(folder / "state.json", f"a {WHOLE}")
        step = kept.get("step")
        if type(step) is not int or step < 1:
            raise InputError(f"'step' is {step!r:.50}, expected a number from 1 on")
        load_weights(module, _tensors(folder, "weights", kept), "the weights are another network's")
        state = _moments(_tensors(folder, "optimizer", kept), optimizer)
    except InputError as error:
        raise InputError(f"{folder}: the {WHOLE} cannot be read ({error}). {REMEDY}") from None
    groups: list[Any] = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return step


def _tensors(folder: Path, name: str, kept: dict[str, Any]) -> dict[str, Tensor]:
    """Version 0.1.0 named no sum, so that none is compared where none is named."""
    sha256 = kept.get(name)
    if sha256 is not None and not isinstance(sha256, str):
        raise InputError(f"'{name}' is {sha256!r:.50}, expected a sha256")
    file = folder / f"{name}.safetensors"
    return read_tensors(file, sha256, whole=WHOLE, named_in="state.json")


def _moments(
    found: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[int, dict[str, Tensor]]:
    """Adam's moments by the number of the parameter, each shaped as it is."""
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in found.items():
        index, _, key = name.partition(".")
        known = index.isdecimal() and int(index) < len(shapes) and key in ("step", *MOMENTS)
        if not known or value.shape != (shapes[int(index)] if key in MOMENTS else ()):
            raise InputError(f"'{name}' is no moment of a weight of this network")
        state.setdefault(int(index), {})[key] = value
    part = [str(index) for index, own in state.items() if len(own) != 1 + len(MOMENTS)]
    if part:
        raise InputError(f"moments of weight {part[0]} are missing")
    return state
