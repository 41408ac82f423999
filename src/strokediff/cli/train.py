"""`strokediff train`: train on a prepared cohort."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from strokediff.cohort.store import Cohort
    from strokediff.training.config import TrainingConfig
    from strokediff.training.loop import Run
    from strokediff.training.start import Start

RUN = ("checkpoints", "logs", "model", "clock.json")


def train(
    data: Annotated[Path, typer.Option(help="Cohort written by 'strokediff prepare'.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    preset: Annotated[
        str | None, typer.Option(help="tiny (CPU), small or paper.", show_default="tiny")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from", help="Start from this model's weights and settings: a bundled name or folder."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, if not the preset's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Slices a step.")] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="isotropic (SDPM), fourier, calibrated or low-rank (SADPM).",
            show_default="isotropic",
        ),
    ] = None,
    noise_features: Annotated[int | None, typer.Option(help="D of the Fourier noises.")] = None,
    noise_rank: Annotated[int | None, typer.Option(help="Rank of the fitted noises.")] = None,
    shrinkage: Annotated[
        float | None, typer.Option(help="Towards white noise, 0 to 1 (calibrated, low-rank).")
    ] = None,
    noise_loss: Annotated[
        str | None,
        typer.Option(
            help="mse, or mahalanobis where the noise can be whitened.", show_default="mse"
        ),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="32 or bf16.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE of the preset, e.g. network.mirror=true."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes weights, samples and noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that load data; 0: none.")] = 0,
    name: Annotated[str, typer.Option(help="Name that results will carry.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train SDPM or SADPM; checkpoints are whole or not there, and --resume loses nothing."""
    from strokediff.segmentation.model import resolve_device
    from strokediff.training.trouble import explained

    resolve_device(device)  # refused before anything is read
    asked = {"name": noise, "D": noise_features, "rank": noise_rank, "shrinkage": shrinkage}
    changes = {
        "steps": steps,
        "batch_size": batch_size,
        "precision": precision,
        "seed": seed,
        "noise_loss": noise_loss,
    }
    with explained(f"{out}: training was not begun"):
        run = prepared(
            out,
            data,
            preset,
            start_from,
            changes=changes,
            noise={key: value for key, value in asked.items() if value is not None},
            settings=settings or [],
            resume=resume,
        )
    run = replace(run, device=device, workers=workers, name=name or out.name)
    follow(run, resume=resume, quiet=quiet)


def prepared(
    out: Path,
    data: Path,
    preset: str | None,
    start_from: str | None,
    *,
    changes: dict[str, Any],
    noise: dict[str, Any],
    settings: list[str],
    resume: bool,
) -> Run:
    """The run in `out`, its network and noise made; nothing is written yet."""
    from strokediff.cohort.store import open_cohort
    from strokediff.training.build import build_network, build_task
    from strokediff.training.config import changed, with_settings
    from strokediff.training.loop import Run
    from strokediff.training.resume import noise_of_run
    from strokediff.training.start import Start
    from strokediff.weights import model_path

    cohort = open_cohort(data)
    start = Start.of(model_path(start_from)) if start_from else None
    base = base_configuration(cohort, preset, start)
    own = noise if "name" in noise else base.noise.model_dump() | noise
    config = with_settings(changed(base, noise=own, **changes), settings)
    fitted = noise_of_run(out, cohort, config, resume=resume)
    module = build_network(config, cohort.grid.size)
    if start:
        start.load_into(module)
    task, about = build_task(config, fitted), start.about if start else ""
    return Run(out, cohort, config, task, module, name=out.name, started_from=about)


def base_configuration(cohort: Cohort, preset: str | None, start: Start | None) -> TrainingConfig:
    """The preset's configuration, or that of the model to start from; the grid must be its own."""
    from strokediff.errors import UsageError
    from strokediff.training.config import preset as training_preset

    if start and preset:
        raise UsageError("--from goes on with the model's own settings. Leave --preset out.")
    name = preset or "tiny"
    wanted = start.preset if start else training_preset(name)
    own = cohort.grid
    if (own.size, own.spacing_mm) != (wanted.size, wanted.spacing_mm):
        what = f"the model {start.checkpoint.config.name}" if start else f"preset '{name}'"
        advice = "the preset that the model was trained with" if start else f"--preset {name}"
        raise UsageError(
            f"{cohort.path}: prepared at {own.size} pixels of {own.spacing_mm} mm, and {what} "
            f"expects {wanted.size} of {wanted.spacing_mm} mm. Prepare it with {advice}."
        )
    return wanted.training


def follow(run: Run, *, resume: bool, quiet: bool) -> None:
    """Run a training to its end: progress on the terminal, figures and pictures to TensorBoard."""
    from rich.console import Console

    from strokediff.cli.progress import progress_bar
    from strokediff.training.board import board
    from strokediff.training.resume import checkpoints
    from strokediff.util.files import refuse_others, sole

    refuse_others(run.folder, RUN, "training run")
    console = Console()

    def tell(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    def warn(line: str) -> None:
        typer.echo(f"strokediff: warning: {line}", err=True)

    logged = board(run.folder / "logs", warn)
    with sole(run.folder, "train"), progress_bar(quiet) as bar, logged as logs:
        if resume and not checkpoints(run.folder):
            tell(f"{run.folder}: no checkpoint to resume from, so training begins at step 0")
        task = bar.add_task("training", total=run.config.steps)
        for report in run.train(resume=resume):
            bar.update(task, completed=report.step, description=f"loss {report.losses['loss']:.4f}")
            logs.log(report)
            if report.validation:
                shown = ", ".join(f"{k} {v:.3f}" for k, v in report.validation.figures.items())
                tell(f"step {report.step}: validation {shown}")
    tell(f"model written to {run.folder / 'model'}")
