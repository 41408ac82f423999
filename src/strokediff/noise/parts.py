"""What the file of a noise model holds: which tensors, of which shapes, with which settings.

Dimensions: D features, k components, p pixels of the brain, H x W pixels. Fourier noises make their
D x H W frequencies again from a seed, so a small file could ask for any amount of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from strokediff.errors import InputError

MAX_FREQUENCIES = 2**30
"""D H W at most: 4 GB of float32. The papers' 3000 features on a grid of 448 are 2.4 GB."""

_FOURIER = {"b": "D", "L": "DD", "support": "HW"}
_FACTOR = {"basis": "pk", "brain": "HW", "support": "HW"}
SHAPES: dict[str, dict[str, str]] = {
    "isotropic": {},
    "fourier": _FOURIER,
    "fourier-standardised": _FOURIER,
    "calibrated": {**_FACTOR, "L": "DD", "mean_z": "D", "mean_q": "D", "back": "kD"},
    "low-rank": _FACTOR,
    "scanner": {"cutoff": ""},
    "scanner-low-rank": {**_FACTOR, "cutoff": ""},
}
OPTIONAL = {"fourier": {"W": "Dd"}, "fourier-standardised": {"W": "Dd"}}
MASKS = ("brain", "support")


class Settings(BaseModel):
    """What `fit` was asked for; a model has those that it knows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    D: int = Field(1, ge=1, le=2**16)
    rank: int = Field(1, ge=1, le=2**16)
    share: float = Field(0.0, ge=0, le=1)
    shrinkage: float = Field(0.0, ge=0, le=1)
    margin: int = Field(0, ge=0, le=2**14)
    seed: int = Field(0, ge=-(2**63), lt=2**63)


def check(
    folder: Path, name: str, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """`InputError` unless settings and tensors are those of the noise model `name`."""
    wrong = _wrong_settings(name, settings) or _wrong_tensors(name, tensors)
    if wrong:
        raise InputError(
            f"{folder}: corrupt noise model, its tensors are not those of '{name}' ({wrong}). Copy "
            "it again or fit it again."
        )


def _wrong_settings(name: str, settings: Mapping[str, Any]) -> str:
    try:
        Settings.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        return f"setting {'.'.join(map(str, first['loc']))[:50]!r}: {first['msg']}"
    return "'seed' is missing" if name in OPTIONAL and "seed" not in settings else ""


def _wrong_tensors(name: str, tensors: Mapping[str, Tensor]) -> str:
    wanted, optional = SHAPES[name], OPTIONAL.get(name, {})
    if not {*wanted} <= {*tensors} <= {*wanted, *optional}:
        return f"expected {', '.join(wanted) or 'none'}; got {', '.join(sorted(tensors))[:200]}"
    if "support" in tensors and "brain" in tensors and tensors["brain"].dtype == torch.uint8:
        known = {"p": int(tensors["brain"].count_nonzero())}
    else:
        known = {}
    if "support" in tensors:
        known["d"] = tensors["support"].numel()
    for key, letters in {**wanted, **optional}.items():
        if key in tensors:
            value = tensors[key]
            if (value.dtype == torch.uint8) != (key in MASKS) or value.ndim != len(letters):
                return f"'{key}' is {value.dtype} of {value.ndim} dimensions"
            for letter, size in zip(letters, value.shape, strict=True):
                if size < (letter != "p") or known.setdefault(letter, size) != size:
                    return f"'{key}' is {' x '.join(map(str, value.shape))}"
    if known.get("D", 0) * known.get("d", 0) > MAX_FREQUENCIES and name in OPTIONAL:
        return f"{known['D']} x {known['d']} frequencies, at most {MAX_FREQUENCIES}"
    return ""
