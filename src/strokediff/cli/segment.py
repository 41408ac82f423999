"""`strokediff segment`: the main job on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strokediff.errors import InputError, PartialFailure, UsageError

if TYPE_CHECKING:
    from strokediff.data.cases import Case
    from strokediff.segmenting import Outcome


def segment(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="NIfTI file, DICOM folder, or folder of patients."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    model: Annotated[str, typer.Option(help="Bundled model or checkpoint folder.")] = (
        "phantom-stroke"
    ),
    method: Annotated[str, typer.Option(help="avg, sal, infer or all (SDPM 2.4).")] = "sal",
    preset: Annotated[str, typer.Option(help="fast, or paper with the papers' values.")] = "fast",
    transition: Annotated[
        str, typer.Option(help="Noise of Algorithm 1's steps: isotropic, or the model's own.")
    ] = "isotropic",
    fusion: Annotated[
        str, typer.Option(help="With --method all: union, mean, majority or staple.")
    ] = "union",
    tolerance_ml: Annotated[
        float | None,
        typer.Option(metavar="ML", help="Draw until the volume is known to +- so many mL."),
    ] = None,
    max_evaluations: Annotated[
        int | None, typer.Option(min=1, help="Network evaluations a slice, at most.")
    ] = None,
    cut: Annotated[
        float | None,
        typer.Option(metavar="P", help="Lesion from this probability on; default the model's own."),
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write entropy and variance maps too.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default all.")] = None,
    precision: Annotated[str, typer.Option(help="auto, 32 or bf16.")] = "auto",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the network first; pays on long runs.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Fixes every draw of noise.")] = 0,
    series: Annotated[str | None, typer.Option(help="UID of the DICOM series to use.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview/--no-preview", help="Write preview.png and report.html.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Outline the lesion on a non-contrast head CT and measure it in mL. Research use only."""
    from strokediff.cli.progress import progress_bar
    from strokediff.data.discover import discover
    from strokediff.inference.executor import PRECISIONS
    from strokediff.inference.presets import Choice, Limits
    from strokediff.model import compiled, load_model, resolve_device
    from strokediff.models import model_path
    from strokediff.segmenting import Job, check_writable, segment_cases

    if precision not in PRECISIONS:
        raise UsageError(f"no precision '{precision}'; expected one of: {', '.join(PRECISIONS)}")
    limits = Limits(tolerance_ml, max_evaluations)
    choice = Choice(method, preset, transition, fusion, limits, cut)
    cases = discover(source, series, out).cases
    check_writable(out)
    loaded = load_model(model_path(model), resolve_device(device))
    choice.estimator(loaded.process.T)  # refuses what does not fit before a scan is read
    job = Job(
        model=compiled(loaded) if compile_ else loaded,
        choice=choice,
        seed=seed,
        threads=threads,
        series=series,
        pictures=preview,
        precision=precision,
        uncertainty=uncertainty,
    )
    with progress_bar(quiet) as bar:
        tasks = {case.name: bar.add_task(case.name, total=None, start=False) for case in cases}

        def advance(case: Case, done: int, total: int) -> None:
            bar.start_task(tasks[case.name])
            bar.update(tasks[case.name], advance=done, total=total)

        def foresee(case: Case, evaluations: int, seconds: float) -> None:
            bar.console.print(_plan(case.name, evaluations, seconds, str(loaded.device)))

        outcomes = []
        for outcome in segment_cases(cases, out, job, advance, foresee):
            outcomes.append(outcome)
            task = tasks[outcome.case]
            done = bar.tasks[task].completed  # less than foreseen where a tolerance was met
            bar.update(task, description=_line(outcome), total=done)
    _raise_failures(outcomes)
    if not quiet:
        typer.echo(f"Results in {out}")


def _plan(name: str, evaluations: int, seconds: float, device: str) -> str:
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return (
        f"{name}: {evaluations:,} network evaluations, about {hours} h {minutes:02} min on "
        f"{device}. It may be stopped: the same command goes on from there."
    )


def _line(outcome: Outcome) -> str:
    if outcome.error:
        return f"{outcome.case}: failed"
    interval = outcome.report["volume_interval_ml"]
    spread = f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
    return f"{outcome.case}: {outcome.report['volume_ml']:.1f} mL{spread}"


def _raise_failures(outcomes: list[Outcome]) -> None:
    failed = [o for o in outcomes if o.exception]
    if not failed:
        return
    if len(outcomes) == 1 and failed[0].exception:
        raise failed[0].exception
    lines = "\n".join(f"  {o.case}: {o.error}" for o in failed)
    message = f"{len(failed)} of {len(outcomes)} patients failed (see summary.csv):\n{lines}"
    raise (PartialFailure if len(failed) < len(outcomes) else InputError)(message)
