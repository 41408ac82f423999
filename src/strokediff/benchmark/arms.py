"""What is trained for a table, and the rows that each training gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from strokediff.baselines.registry import BASELINES
from strokediff.benchmark.arm import Arm as Arm
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.nnunet.arm import NNUNET_ARMS, NNUNetArm
from strokediff.benchmark.peer_arm import PeerArm
from strokediff.benchmark.pretrained import PRETRAINED, PretrainedArm
from strokediff.benchmark.starting import Start, Starts
from strokediff.benchmark.suites import Suite
from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.inference.compute import Compute
from strokediff.inference.estimation import METHODS, NO_DRAWS, Estimation, Limits
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.prediction.prediction import Predictor
from strokediff.segmentation.model import load_model
from strokediff.training.config import NoiseConfig, with_settings
from strokediff.training.loop import Run
from strokediff.training.start import StartModel
from strokediff.training.train import make_run

ESTIMATES = {
    "avg": "ŷ_avg",
    "matched": "ŷ_matched",
    "sal": "ŷ_sal",
    "infer": "ŷ_infer",
    "all": "ŷ_all",
}


@dataclass(frozen=True)
class _SynchronousArm:
    """One network of images and labels, whose estimates are rows of their own.

    `settings` change the preset, as `train --set` takes them; `samplers` is the estimates' preset.
    """

    name: str
    title: str
    methods: Sequence[str] = METHODS
    ours: bool = True
    settings: Sequence[str] = ()
    samplers: str = "fast"

    @property
    def rows(self) -> Mapping[str, str]:
        """One row an estimate; the method's own title where there is one only."""
        if len(self.methods) == 1:
            return {self.methods[0]: self.title}
        return {method: f"{self.title} {ESTIMATES[method]}" for method in self.methods}

    def predictor(self, checkpoint: Path, compute: Compute, budget: Budget) -> Predictor:
        """All estimates by the samplers' preset, of the papers' as many draws as allowed."""
        estimations = [Estimation(method, self.samplers) for method in self.methods]
        if self.samplers != "fast" and budget.most_evaluations:
            estimations = [_within(own, budget.most_evaluations) for own in estimations]
        return DiffusionPredictor(load_model(checkpoint, compute), estimations)


@dataclass(frozen=True)
class DiffusionArm(_SynchronousArm):
    """SDPM, or SADPM by its noise."""

    noise: NoiseConfig = field(default_factory=NoiseConfig)

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """Where settings or samplers are not the budget's own: it would be another arm again."""
        own = budget.training(0)
        differs = self.samplers != "fast" or with_settings(own, self.settings) != own
        return differs or not self.settings

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        config = with_settings(budget.training(seed, noise=self.noise.model_dump()), self.settings)
        return make_run(folder, cohort, config, resume=True, name=self.name, device=device)

    @property
    def method(self) -> str:
        """That of all networks of images and labels."""
        return "sdpm"

    @property
    def noise_name(self) -> str:
        """Its noise's."""
        return self.noise.name

    def begun(
        self, start: Start, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str
    ) -> Run:
        """Network and settings are the model's; noise, steps and batch size this arm's."""
        model = StartModel(start.path, start.config)
        own = budget.training(seed, model.preset.training, noise=self.noise.model_dump())
        config = with_settings(own, self.settings)
        return make_run(
            *(folder, cohort, config),
            start=model,
            resume=True,
            name=f"{self.name}{PRETRAINED}",
            device=device,
        )


@dataclass(frozen=True)
class FineTunedArm(_SynchronousArm):
    """SDPM that goes on from a bundled model, which has seen phantoms that the others have not."""

    start: str = "phantom-stroke"

    def fits(self, suite: Suite, budget: Budget) -> bool:
        """On real patients, on the grid of the model."""
        wanted = self._start.preset
        same = (wanted.size, wanted.spacing_mm) == (budget.grid.size, budget.grid.spacing_mm)
        return same and not suite.synthetic

    def run(self, folder: Path, cohort: Cohort, budget: Budget, seed: int, device: str) -> Run:
        """The training in `folder`."""
        start = self._start
        config = with_settings(budget.training(seed, start.preset.training), self.settings)
        return make_run(
            folder, cohort, config, start=start, resume=True, name=self.name, device=device
        )

    @cached_property
    def _start(self) -> StartModel:
        return StartModel.of(self.start)


def _within(estimation: Estimation, most: int) -> Estimation:
    """So many evaluations for every part that draws; in `all` the parts are those of the others."""
    if estimation.method in NO_DRAWS:
        return estimation
    whole = 1 + 2 * most if estimation.method == "all" else most
    return replace(estimation, limits=Limits(max_evaluations=whole))


PRINTED_NOISE = NoiseConfig(name="fourier", D=3000)
_PRINTED = (
    "time_sampler=uniform",
    "lr=0.0001",
    "network.noise_base=null",
    "network.linear_attention=true",
    "network.label_form=noisy",
    "loss.label_likelihood=gaussian",
    "loss.label_reading=sigmoid",
    "loss.d1=1",
    "loss.p=1",
    "loss.dice=1",
    "loss.dice_window=0.5",
)
"""What the presets of small grids have changed of the papers' network and training, changed back;
width, depth, grid, steps and batch stay the budget's."""

_ALL: tuple[Arm, ...] = (
    *(PeerArm(name) for name in BASELINES),
    *NNUNET_ARMS,
    DiffusionArm(
        "sdpm-no-noise", "SDPM w/o noise", methods=("avg",), settings=("time_sampler=clean",)
    ),
    DiffusionArm(
        "sdpm-no-noise-max",
        "SDPM w/o noise, max pooling",
        methods=("avg",),
        settings=("time_sampler=clean", "network.pooling=max"),
    ),
    DiffusionArm("sdpm", "SDPM"),
    FineTunedArm("sdpm-phantoms", "SDPM from phantoms", settings=("network.neighbours=1",)),
    DiffusionArm("sadpm", "SADPM", noise=PRINTED_NOISE),
    DiffusionArm("sdpm-printed", "SDPM as printed", settings=_PRINTED, samplers="printed"),
    DiffusionArm(
        "sadpm-printed",
        "SADPM as printed",
        settings=_PRINTED,
        samplers="printed",
        noise=PRINTED_NOISE,
    ),
    DiffusionArm(
        "sadpm-max",
        f"SADPM, max pooling {ESTIMATES['avg']}",
        methods=("avg",),
        noise=PRINTED_NOISE,
        settings=("network.pooling=max",),
    ),
    PretrainedArm(PeerArm("unet")),
    PretrainedArm(PeerArm("nnu-net")),
    PretrainedArm(DiffusionArm("sdpm", "SDPM")),
    PretrainedArm(DiffusionArm("sadpm", "SADPM", noise=PRINTED_NOISE)),
)
ARMS = {arm.name: arm for arm in _ALL}


def pretrained_arms(
    names: Sequence[str], starts: Starts, suite: Suite, budget: Budget
) -> list[Arm]:
    """The arms of those names that start from a model; all that one is given for, if none.

    A name may be that of the arm from random weights. `UsageError` for a name that has no such
    arm, and where no model of its architecture and the budget's grid is given.
    """
    known = {arm.base.name: arm for arm in ARMS.values() if isinstance(arm, PretrainedArm)}
    asked = [name.removesuffix(PRETRAINED) for name in names]
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise UsageError(
            f"method '{', '.join(unknown)}' does not start from a model: expected one of "
            f"{', '.join(known)}. Leave it out, or leave --from out."
        )
    arms = [
        replace(known[name], starts=starts, names_tell=not suite.synthetic)
        for name in asked or known
    ]
    chosen = [arm for arm in arms if asked or arm.start(0) is not None]
    for arm in chosen:
        arm.check(budget)
    if not chosen:
        raise UsageError(
            f"--from {', '.join(starts.given)}: no model of {', '.join(known)}. Give one, or the "
            "folder of a benchmark that trained some."
        )
    return [*chosen]


def arms(names: Sequence[str], suite: Suite, budget: Budget) -> list[Arm]:
    """The arms of those names, `UsageError` names the choices; if there are none, all that fit.

    nnU-Net itself is among them by name alone: it needs an extra, and has grids of its own.
    """
    fit = [name for name, arm in ARMS.items() if arm.fits(suite, budget)]
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise UsageError(f"no method '{', '.join(unknown)}'; expected one of: {', '.join(fit)}")
    unfit = [name for name in names if name not in fit]
    if unfit:
        raise UsageError(
            f"method '{', '.join(unfit)}' has no place in suite '{suite.name}' at budget "
            f"'{budget.name}': expected one of {', '.join(fit)}. Leave it out."
        )
    by_default = [name for name in fit if not isinstance(ARMS[name], NNUNetArm)]
    return [ARMS[name] for name in (names or by_default)]
