"""From a cohort and a configuration to a trained model in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.training.build import build_network, build_task
from strokediff.training.config import TrainingConfig, training_preset
from strokediff.training.keep import BEST
from strokediff.training.loop import Run, StepReport
from strokediff.training.resume import checkpoints, noise_of_run
from strokediff.training.start import StartModel
from strokediff.training.trouble import explained
from strokediff.util.files import refuse_others
from strokediff.util.kinds import JOINED
from strokediff.util.locks import sole

DEFAULT_PRESET = "tiny"
RUN_FILES = ("checkpoints", "logs", BEST, "model", "clock.json")
"""What lies in a run's folder."""


def train(
    cohort: Cohort,
    out: str | Path,
    config: TrainingConfig | None = None,
    *,
    start: StartModel | None = None,
    name: str = "",
    device: str = "auto",
    workers: int = 0,
    resume: bool = False,
    on_step: Callable[[StepReport], object] = lambda report: None,
) -> Path:
    """Train SDPM, or SADPM by its noise, in the folder `out`; returns the model's folder in it.

    `config` is by default that of `start`, the model to go on from, or else the preset "tiny"; see
    `configuration`. `name` (by default that of the folder) is what results will carry. `on_step`
    is told of every step. Checkpoints are whole or not there; with `resume` the run goes on from
    the last one as if it had never stopped, bit for bit on a CPU, whatever `workers` is.

    Raises `UsageError` where the folder holds something else or a run that is not to be resumed,
    where the training diverges, and where the system refuses memory, disk or processes.

    >>> smallest = NetworkConfig(base=8, multipliers=(1, 2))
    >>> config = TrainingConfig(network=smallest, steps=2, batch_size=1)
    >>> model = train(
    ...     open_cohort("cohort"), "run", config, on_step=lambda report: print(report.step)
    ... )
    1
    2
    >>> load(model, device="cpu").card.name
    'run'
    """
    out = Path(out)
    refuse_others(out, RUN_FILES, "training run")
    with sole(out, "train"):
        with explained(f"{out}: training was not begun"):
            config = config or configuration(cohort, start=start)
            run = make_run(
                out,
                cohort,
                config,
                start=start,
                resume=resume,
                name=name,
                device=device,
                workers=workers,
            )
        for report in run.train(resume=resume):
            on_step(report)
    return run.folder / "model"


def configuration(
    cohort: Cohort, preset: str | None = None, *, start: StartModel | None = None
) -> TrainingConfig:
    """The configuration of a preset (by default "tiny"), or of the model to start from.

    `UsageError` if the cohort was prepared on another grid than that expects, or both are given.

    >>> configuration(open_cohort("cohort")).steps
    5000
    >>> configuration(open_cohort("cohort"), "small")
    Traceback (most recent call last):
    strokediff.errors.UsageError: cohort: prepared at 96 pixels of 2.0 mm, and preset 'small' ...
    """
    if start and preset:
        raise UsageError("--from goes on with the model's own settings. Leave --preset out.")
    name = preset or DEFAULT_PRESET
    wanted = start.preset if start else training_preset(name)
    own = cohort.grid
    if (own.size, own.spacing_mm) != (wanted.size, wanted.spacing_mm):
        what = f"the model {start.config.name}" if start else f"preset '{name}'"
        advice = "the preset that the model was trained with" if start else f"--preset {name}"
        raise UsageError(
            f"{cohort.path}: prepared at {own.size} pixels of {own.spacing_mm} mm, and {what} "
            f"expects {wanted.size} of {wanted.spacing_mm} mm. Prepare it with {advice}."
        )
    return wanted.training


def of_kinds(config: TrainingConfig, cohort: Cohort) -> TrainingConfig:
    """`config` with the cohort's kinds of lesion; `UsageError` if it names others.

    >>> of_kinds(training_preset("tiny").training, open_cohort("cohort")).network.kinds
    ('lesion',)
    """
    wanted, own = config.network.kinds, cohort.kinds
    if wanted not in (JOINED, own):
        raise UsageError(
            f"{cohort.path}: its lesions are told apart as {', '.join(own)}, and the network's as "
            f"{', '.join(wanted)}. Prepare it with: --kinds {','.join(wanted)}"
        )
    network = config.network.model_copy(update={"kinds": own})
    return config.model_copy(update={"network": network})


def make_run(
    folder: Path,
    cohort: Cohort,
    config: TrainingConfig,
    *,
    start: StartModel | None = None,
    resume: bool,
    name: str = "",
    device: str = "auto",
    workers: int = 0,
) -> Run:
    """The run in `folder`, its noise fitted and its network made; nothing is written yet.

    The weights of `start` are read where no checkpoint takes their place.
    """
    config = of_kinds(config, cohort)
    if start:
        config = config.model_copy(update={"start": start.config.sha256})
    task = build_task(config, noise_of_run(folder, cohort, config, resume=resume))
    module = build_network(config, cohort.grid.size)
    if start and not (resume and checkpoints(folder)):
        start.load_into(module)
    return Run(
        folder,
        cohort,
        config,
        task,
        module,
        name=name or folder.name,
        device=device,
        workers=workers,
        started_from=start.about if start else "",
    )
