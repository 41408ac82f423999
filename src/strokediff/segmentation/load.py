"""`load`: a trained model by its name or folder, on the device that is wanted."""

from __future__ import annotations

from pathlib import Path

from strokediff.inference.compute import Compute
from strokediff.segmentation.model import Model, load_model
from strokediff.weights import DEFAULT, model_path


def load(
    model: str | Path = DEFAULT,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    compile: bool = False,
) -> Model:
    """Load a bundled model by its name, or a checkpoint by its folder, ready to segment.

    `device` is auto, cpu, cuda, cuda:N or mps; `precision` auto, 32 or bf16; `threads` those of a
    CPU, one a core if None, which change no result. With `compile` the network is compiled first,
    which pays on long runs. Raises `UsageError` for a model, device or precision that is not
    there, `InputError` for a checkpoint that is corrupt, foreign or of another method.

    >>> model = load("phantom-stroke", device="cpu")
    >>> model.card.method, model.grid.size, model.grid.spacing_mm
    ('sdpm', 96, 2.0)
    """
    loaded = load_model(model_path(str(model)), Compute.of(device, precision, threads))
    return loaded.compiled() if compile else loaded
