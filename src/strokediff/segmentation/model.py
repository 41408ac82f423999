"""A trained model, ready to segment: its network, process, noise, grid and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from strokediff.core.process import SynchronousProcess
from strokediff.ct.grid import GridConfig
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU, Compute
from strokediff.inference.estimation import Estimation
from strokediff.inference.estimator import Context, LabelEstimate
from strokediff.inference.executor import seconds_a_row
from strokediff.inference.tally import NoStore, Store
from strokediff.noise.base import NoiseModel
from strokediff.result.record import ModelCard
from strokediff.segmentation.chosen import (
    Interval,
    read_calibrations,
    read_decisions,
    read_population,
    read_statements,
)
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.place import Scan
from strokediff.segmentation.trust.population import Population
from strokediff.training.build import build_network, build_task, outline_network, surroundings_of
from strokediff.training.checkpoint import Checkpoint, read_checkpoint
from strokediff.training.noise import read_noise
from strokediff.training.weights import check_weights, load_weights
from strokediff.util.kinds import JOINED
from strokediff.version import __version__

LONG = 20_000
"""Network evaluations from which on it is worth to say how long they will take."""

Advance = Callable[[int, int], None]
"""Called with (network evaluations done since the last call, evaluations in all)."""
Foresee = Callable[[int, float], None]
"""Called with (network evaluations in all, seconds that they will take)."""
StoreOf = Callable[[str], Store]
"""Where draws are kept, by what they depend on."""


@dataclass(frozen=True)
class Model:
    """A trained model: `network`, `process` and `noise` on `grid`; `card` says which it is.

    `kinds` names the label's channels. `chosen` and `calibrations` are by `Estimation.key`, from
    validation patients: what counts as a lesion, a decision a kind, and how far volumes are off,
    by kind and joined ("lesion"). `population` is what is known of the scans that it was tried on,
    if anything is. A `Segmenter` is one that segments.
    """

    network: nn.Module
    process: SynchronousProcess
    noise: NoiseModel
    grid: GridConfig
    card: ModelCard
    chosen: Mapping[str, tuple[Decision, ...]] = field(default_factory=dict)
    calibrations: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    kinds: tuple[str, ...] = JOINED
    population: Population | None = None
    surroundings: Surroundings = ALONE
    compute: Compute = ON_CPU

    def decisions(self, estimation: Estimation) -> tuple[Decision, ...]:
        """What counts as a lesion of each kind: as chosen for the model, by the cut's threshold.

        A cut p of the probability (y_0 + 1) / 2 is a threshold of 2 p - 1.
        """
        own = self.chosen.get(replace(estimation, cut=None).key, (Decision(),) * len(self.kinds))
        if estimation.cut is None:
            return own
        threshold = 2 * estimation.cut - 1
        return tuple(one.model_copy(update={"threshold": threshold}) for one in own)

    def compiled(self) -> Model:
        """The same with its network compiled; see `Compute.compile`."""
        compute, network = self.compute.compile(self.network)
        return replace(self, compute=compute, network=network)

    def described(self, estimation: Estimation) -> dict[str, Any]:
        """How the label is estimated, as result.json tells it."""
        return {
            "method": estimation.method,
            "preset": estimation.preset,
            "transition": estimation.transition,
            "fusion": estimation.fusion if estimation.method == "all" else None,
        }

    def evaluations(self, place: Scan, estimation: Estimation) -> int:
        """How often a network runs for an estimate, at most."""
        return estimation.estimator(self.process.T).evaluations() * len(place.slices.keys)

    def estimate(
        self,
        place: Scan,
        estimation: Estimation,
        *,
        advance: Advance = lambda done, total: None,
        foresee: Foresee = lambda evaluations, seconds: None,
        store: StoreOf = lambda key: NoStore(),
    ) -> LabelEstimate:
        """The label of the place's slices; `store` is called with what the draws depend on."""
        slices, decisions = place.slices, self.decisions(estimation)
        total = self.evaluations(place, estimation)
        told = decisions[0] if len(decisions) == 1 else decisions
        advance(0, total)
        with self.estimating(
            threshold=[decision.threshold for decision in decisions],
            advance=lambda done: advance(done, total),
            store=store(f"{self._draws_depend_on(slices.seed, estimation)} {told}"),
        ) as context:
            if total >= LONG:
                seen = slices.seen(slices.x_0)
                foresee(total, total * seconds_a_row(context.network, seen, context.pack))
            return estimation.estimator(self.process.T).estimate(slices, context)

    def _draws_depend_on(self, seed: int, estimation: Estimation) -> str:
        compute = self.compute
        return (
            f"{self.card.sha256} {compute.compiled} {seed} {estimation} {compute.precision} "
            f"{compute.device} {__version__}"
        )

    @contextmanager
    def estimating(self, **own: Any) -> Iterator[Context]:
        """What estimators need, while the network's worker threads run; `own` as in `Context`."""
        compute = self.compute
        with compute.running(self.network) as network:
            yield Context(
                network,
                self.process,
                self.noise,
                device=compute.device,
                kinds=len(self.kinds),
                **own,
            )


def load_model(path: Path, compute: Compute = ON_CPU) -> Model:
    """Read a checkpoint folder; `InputError` if it is corrupt, foreign or of another method."""
    checkpoint = read_checkpoint(path)
    config = checkpoint.config
    if config.method != "sdpm":
        raise InputError(
            f"{path}: a checkpoint of method '{config.method}'. Expected one of 'sdpm', which "
            "'strokediff train' writes."
        )
    network, kinds = _network(checkpoint), config.training.network.kinds
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
            statements=read_statements(path, checkpoint.metrics),
        ),
        kinds=kinds,
        chosen=read_decisions(path, checkpoint.metrics, kinds),
        calibrations=read_calibrations(path, checkpoint.metrics, kinds),
        population=read_population(path, checkpoint.metrics),
        surroundings=surroundings_of(config.training.network),
    )


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
