"""A trained model, ready to segment: its network, process, noise, grid and what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from torch import nn

from strokediff.core.process import SynchronousProcess
from strokediff.ct.grid import GridConfig
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU, Compute
from strokediff.inference.estimation import Estimation
from strokediff.inference.estimator import Context
from strokediff.noise.base import NoiseModel
from strokediff.result.record import ModelCard
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Calibration
from strokediff.training.build import build_network, build_task, outline_network, surroundings_of
from strokediff.training.checkpoint import Checkpoint, read_checkpoint
from strokediff.training.noise import read_noise
from strokediff.training.weights import check_weights, load_weights

Chosen = TypeVar("Chosen", bound=BaseModel)


@dataclass(frozen=True)
class Model:
    """A trained model: `network`, `process` and `noise` on `grid`; `card` says which it is.

    `decisions` and `calibrations` are by `Estimation.key`, chosen on validation patients: what
    counts as a lesion, and how far volumes are off, mL. A `Segmenter` is one that segments.
    """

    network: nn.Module
    process: SynchronousProcess
    noise: NoiseModel
    grid: GridConfig
    card: ModelCard
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    surroundings: Surroundings = ALONE
    compute: Compute = ON_CPU

    def decision(self, estimation: Estimation) -> Decision:
        """What counts as a lesion: what was chosen for the model, its threshold that of the cut.

        A cut p of the probability (y_0 + 1) / 2 is a threshold of 2 p - 1.
        """
        own = self.decisions.get(replace(estimation, cut=None).key, Decision())
        if estimation.cut is None:
            return own
        return own.model_copy(update={"threshold": 2 * estimation.cut - 1})

    def compiled(self) -> Model:
        """The same with its network compiled; see `Compute.compile`."""
        compute, network = self.compute.compile(self.network)
        return replace(self, compute=compute, network=network)

    @contextmanager
    def estimating(self, **own: Any) -> Iterator[Context]:
        """What estimators need, while the network's worker threads run; `own` as in `Context`."""
        compute = self.compute
        with compute.running(self.network) as network:
            yield Context(network, self.process, self.noise, device=compute.device, **own)


def load_model(path: Path, compute: Compute = ON_CPU) -> Model:
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
        network=network.eval().to(compute.device),
        process=task.process,
        noise=task.noise,
        grid=config.grid,
        compute=compute,
        card=ModelCard(
            name=config.name,
            method=config.method,
            noise=config.noise,
            noise_settings=task.noise.settings(),
            trained_on=config.trained_on,
            steps=config.step,
            sha256=config.sha256,
            strokediff=config.strokediff,
        ),
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
