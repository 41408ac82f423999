"""`strokediff predict`: a trained method over the patients of a prepared cohort."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

OWN = "own"


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
    method: Annotated[
        str, typer.Option(help="avg, sal, infer or all (SDPM, SADPM); others have their own.")
    ] = "sal",
    preset: Annotated[str, typer.Option(help="fast, or paper as printed.")] = "fast",
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
    so that every method is judged on the same pixels. Finished patients are kept. Patients that
    the model was trained on are named.
    """
    from rich.console import Console

    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.store import SPLITS, open_cohort
    from strokediff.errors import InputError, UsageError
    from strokediff.inference.compute import Compute
    from strokediff.inference.estimation import Estimation
    from strokediff.prediction.folder import predict_cohort
    from strokediff.prediction.load import load_predictor
    from strokediff.training.checkpoint import read_split
    from strokediff.training.trouble import explained
    from strokediff.util.files import sole
    from strokediff.weights import model_path

    if split not in (*SPLITS, OWN):
        raise UsageError(f"no split '{split}'; expected one of: {', '.join((*SPLITS, OWN))}")
    cohort, path = open_cohort(data), model_path(model)
    name, predictor = load_predictor(
        path, cohort, Estimation(method, preset, cut=cut), Compute.of(device, precision), seed
    )
    kept = read_split(path)
    names = kept.get("test", []) if split == OWN else cohort.split[split]
    if not names and split == OWN:
        raise InputError(f"{path}: trained without test patients. Name a split of the cohort.")
    if not names:
        raise InputError(f"{data}: no patients in split '{split}'. Prepare it with --{split} > 0.")
    gone = sorted({*names} - {*cohort.patients})
    if gone:
        raise InputError(
            f"{data}: {len(gone)} test patients of {path} are not in it ({', '.join(gone[:5])}). "
            "Give the cohort that the model was trained with."
        )
    seen = sorted({*names} & {*kept.get("train", ())})
    if seen:
        typer.echo(
            f"strokediff: warning: the model was trained on {len(seen)} of these {len(names)} "
            f"patients ({', '.join(seen[:5])}): their scores say nothing of new ones.",
            err=True,
        )
    stopped = explained(
        f"{out}: stopped", then=lambda: "The same command goes on where it stopped."
    )
    with sole(out, "predict"), stopped, progress_bar(quiet) as bar:
        task = bar.add_task(name, total=len(names))
        predict_cohort(cohort, names, predictor, [name], out, lambda _: bar.advance(task))
    done = out / name
    files = (done / "masks", out / "truth", "-o", done / "metrics.csv")
    words = ("strokediff", "evaluate", *files, "--probabilities", done / "probabilities")
    command = shlex.join(map(str, words))
    Console(quiet=quiet).print(
        f"{len(names)} patients in {out}. Score them with:\n  {command}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
