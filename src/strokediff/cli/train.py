"""`strokediff train`: train on a prepared cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from strokediff.training.loop import StepReport


def train(
    data: Annotated[Path, typer.Option(help="Cohort written by 'strokediff prepare'.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    preset: Annotated[
        str | None, typer.Option(help="tiny or stroke (CPU), small or paper.", show_default="tiny")
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
            help="isotropic (SDPM), fourier, fourier-standardised, calibrated or "
            "low-rank (SADPM), scanner, scanner-low-rank.",
            show_default="isotropic",
        ),
    ] = None,
    noise_features: Annotated[int | None, typer.Option(help="D of the Fourier noises.")] = None,
    noise_rank: Annotated[int | None, typer.Option(help="Rank of the fitted noises.")] = None,
    noise_share: Annotated[
        float | None, typer.Option(help="The scanner's share of scanner-low-rank.")
    ] = None,
    shrinkage: Annotated[
        float | None,
        typer.Option(help="Share of white noise (calibrated, low-rank, the scanner's part)."),
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
    from rich.console import Console

    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.store import open_cohort
    from strokediff.inference.compute import resolve_device
    from strokediff.training.board import board
    from strokediff.training.config import changed, with_settings
    from strokediff.training.resume import checkpoints
    from strokediff.training.start import StartModel
    from strokediff.training.train import configuration
    from strokediff.training.train import train as train_in
    from strokediff.training.trouble import explained

    console = Console()

    def tell(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    def warn(line: str) -> None:
        typer.echo(f"strokediff: warning: {line}", err=True)

    resolve_device(device)  # refused before anything is read
    asked = {
        "name": noise,
        "D": noise_features,
        "rank": noise_rank,
        "share": noise_share,
        "shrinkage": shrinkage,
    }
    given = {key: value for key, value in asked.items() if value is not None}
    with explained(f"{out}: training was not begun"):
        cohort = open_cohort(data)
        start = StartModel.of(start_from) if start_from else None
        base = configuration(cohort, preset, start=start)
        config = changed(
            base,
            noise=given if noise else base.noise.model_dump() | given,
            steps=steps,
            batch_size=batch_size,
            precision=precision,
            seed=seed,
            noise_loss=noise_loss,
        )
        config = with_settings(config, settings or [])
    if resume and not checkpoints(out):
        tell(f"{out}: no checkpoint to resume from, so training begins at step 0")
    with progress_bar(quiet) as bar, board(out / "logs", warn) as logs:
        task = bar.add_task("training", total=config.steps)

        def follow(report: StepReport) -> None:
            bar.update(task, completed=report.step, description=f"loss {report.losses['loss']:.4f}")
            logs.log(report)
            if report.validation:
                shown = ", ".join(f"{k} {v:.3f}" for k, v in report.validation.figures.items())
                tell(f"step {report.step}: validation {shown}")

        model = train_in(
            cohort,
            out,
            config,
            start=start,
            name=name,
            device=device,
            workers=workers,
            resume=resume,
            on_step=follow,
        )
    tell(f"model written to {model}")
