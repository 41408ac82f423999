"""`strokediff predict`: a trained method over the patients of a prepared cohort."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def predict(
    data: Annotated[Path, typer.Argument(help="Cohort written by 'strokediff prepare'.")],
    model: Annotated[
        str, typer.Option(help="Checkpoint folder of any method, or a bundled model's name.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for masks and truth.")],
    split: Annotated[
        str,
        typer.Option(
            help="Patients to predict: the cohort's test, val or train, or own, the model's test."
        ),
    ] = "test",
    scans: Annotated[
        Path | None,
        typer.Option(
            help="Folder that the cohort was prepared from: predict on the scans' own grids."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="avg, matched, sal, infer or all (ours); others have their own.")
    ] = "sal",
    preset: Annotated[str, typer.Option(help="fast, paper, or printed.")] = "fast",
    cut: Annotated[
        float | None,
        typer.Option(metavar="P", help="Lesion from this probability on (SDPM, SADPM)."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, 32 or bf16.")] = "auto",
    seed: Annotated[int, typer.Option(help="Fixes the noise of every patient.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Predict a cohort's patients on its own grid, ready for 'strokediff evaluate'.

    Unlike 'segment', which takes scans, this takes a prepared cohort: brain and grid are its own,
    so that every method is judged on the same pixels; with --scans they are those of the scans.
    Finished patients are kept. Patients that the model was trained on are named.
    """
    from rich.console import Console

    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.store import open_cohort
    from strokediff.inference.compute import Compute
    from strokediff.inference.estimation import Estimation
    from strokediff.prediction.predict import Predicted
    from strokediff.prediction.predict import predict as predict_in

    estimation, compute = Estimation(method, preset, cut=cut), Compute.of(device, precision)
    with progress_bar(quiet) as bar:
        task = bar.add_task("", total=None)

        def begun(predicted: Predicted) -> None:
            bar.update(task, description=predicted.name, total=len(predicted.patients))
            if predicted.seen:
                typer.echo(_seen(predicted.seen, len(predicted.patients)), err=True)

        done = predict_in(
            open_cohort(data),
            model,
            out,
            estimation,
            split=split,
            compute=compute,
            seed=seed,
            scans=scans,
            begun=begun,
            on_patient=lambda _: bar.advance(task),
        )
    files = (done.masks, done.truth, "-o", out / done.name / "metrics.csv")
    words = ("strokediff", "evaluate", *files, "--probabilities", done.probabilities)
    command = shlex.join(map(str, words))
    Console(quiet=quiet).print(
        f"{len(done.patients)} patients in {out}. Score them with:\n  {command}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _seen(seen: list[str], of: int) -> str:
    return (
        f"strokediff: warning: the model was trained on {len(seen)} of these {of} patients "
        f"({', '.join(seen[:5])}): their scores say nothing of new ones."
    )
