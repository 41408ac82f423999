"""A noise model in a folder: safetensors and plain JSON, nothing pickled.

noise.json           format, name, settings, sha256 of the tensors
noise.safetensors    what the model holds, less what `load` makes again from the settings
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from strokediff.errors import InputError
from strokediff.noise.base import NoiseModel
from strokediff.noise.parts import check
from strokediff.noise.registry import NOISE_MODELS
from strokediff.util.jsonfile import read_json
from strokediff.util.tensorfile import read_tensors, write_tensors

FORMAT = 1


def save_noise(folder: str | Path, model: NoiseModel) -> None:
    """Write noise.json and noise.safetensors into `folder`, making it.

    >>> save_noise("noise", IsotropicNoise())
    >>> load_noise("noise").name
    'isotropic'
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    derived = NOISE_MODELS[model.name].derived
    tensors = {k: v.cpu() for k, v in model.tensors().items() if k not in derived}
    described = {
        "format": FORMAT,
        "name": model.name,
        "settings": model.settings(),
        "sha256": write_tensors(folder / "noise.safetensors", tensors),
    }
    (folder / "noise.json").write_text(json.dumps(described, indent=1))


def load_noise(folder: str | Path) -> NoiseModel:
    """Undo `save_noise`: the same draws, bit for bit.

    Raises `InputError`, which says what is missing, corrupt or foreign.

    >>> x = torch.randn(32, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> noise = LowRankNoise.fit(lambda: [(x, torch.ones_like(x))], rank=4)
    >>> save_noise("noise", noise)
    >>> load_noise("noise").draw([1], (1, 8, 8)).equal(noise.draw([1], (1, 8, 8)))
    True
    """
    folder = Path(folder)
    described = _description(folder / "noise.json")
    tensors = read_tensors(
        folder / "noise.safetensors",
        described["sha256"],
        whole="noise model",
        named_in="noise.json",
    )
    check(folder, described["name"], described["settings"], tensors)
    try:
        return NOISE_MODELS[described["name"]].load(described["settings"], tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{folder}: corrupt noise model, its tensors are not those of '{described['name']}' "
            f"({type(error).__name__}: {error}). Copy it again or fit it again."
        ) from None


def _description(file: Path) -> dict[str, Any]:
    found = read_json(
        file,
        "a noise model's folder with noise.json and noise.safetensors",
        remedy="Copy the whole folder again.",
    )
    if found.get("format") != FORMAT:
        raise InputError(
            f"{file}: expected a noise model of format {FORMAT}, got {found.get('format')!r:.50}. "
            "Use the version of strokediff that wrote it, or fit it again."
        )
    wrong = (
        not isinstance(found.get("name"), str)
        or found["name"] not in NOISE_MODELS
        or not isinstance(found.get("settings"), dict)
        or not isinstance(found.get("sha256"), str)
    )
    if wrong:
        raise InputError(
            f"{file}: corrupt, expected a name ({', '.join(NOISE_MODELS)}), settings and a sha256, "
            f"got name {found.get('name')!r:.50}. Copy it again."
        )
    return found
