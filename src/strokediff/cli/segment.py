"""`strokediff segment`: the main job on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strokediff.errors import InputError, PartialFailure
from strokediff.weights import DEFAULT

UNMADE = " could not be "
"""In warnings that say which part of a result is missing, and why: "X could not be made (Y)"."""

if TYPE_CHECKING:
    from strokediff.ct.discovery.cases import Case, Discovery
    from strokediff.inference.estimation import Estimation
    from strokediff.result.record import Record
    from strokediff.segmentation.patients import Outcome


def segment(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="NIfTI file, DICOM folder, or folder of patients."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Bundled model or checkpoint folder; repeated, the mean of their probabilities.",
            show_default=DEFAULT,
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="avg, matched, sal, infer or all.")] = "sal",
    preset: Annotated[str, typer.Option(help="fast, or the papers': paper, printed.")] = "fast",
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
    viewer: Annotated[
        bool | None,
        typer.Option(
            "--viewer/--no-viewer",
            help="Write viewer.html: turn, page, zoom.",
            show_default="as --preview",
        ),
    ] = None,
    dicom: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OBJECTS",
            help="For the PACS, of a DICOM input: seg, sr and sc; commas, or repeated.",
        ),
    ] = None,
    redo: Annotated[
        bool, typer.Option("--redo", help="Segment again what is there already.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Outline the lesion on a non-contrast head CT and measure it in mL. Research use only.

    The same command again goes on where it stopped: patients that are done already stay as they
    are, unless their files or a setting changed.
    """
    from strokediff.cli.lists import listed
    from strokediff.inference.estimation import Estimation, Limits
    from strokediff.util.plaintext import visible

    limits = Limits(tolerance_ml, max_evaluations)
    segment_shown(
        source,
        out,
        Estimation(method, preset, transition, fusion, limits, cut),
        model=model or [DEFAULT],
        quiet=quiet,
        computed={
            "device": device,
            "precision": precision,
            "threads": threads,
            "compile": compile_,
        },
        seed=seed,
        series=series,
        pictures=preview,
        viewer=viewer,
        uncertainty=uncertainty,
        dicom=listed(dicom),
        redo=redo,
    )
    if not quiet:
        typer.echo(f"Results in {visible(str(out))}")


def segment_shown(
    source: Path,
    out: Path,
    estimation: Estimation | None = None,
    *,
    model: Sequence[str],
    quiet: bool,
    computed: Mapping[str, Any] | None = None,
    **settings: Any,
) -> list[Outcome]:
    """`segment_folder` behind a progress bar, with a line a patient; raises what failed.

    `computed` is how `load_ensemble` loads the models, `settings` are those of `segment_folder`.
    """
    from strokediff.cli.progress import print_line, progress_bar
    from strokediff.prediction.ensemble import load_ensemble
    from strokediff.segmentation.patients import segment_folder

    loaded = load_ensemble(model, **(computed or {}))
    outcomes: list[Outcome] = []
    patients = 1
    with progress_bar(quiet) as bar:
        task = bar.add_task("", total=None, start=False)
        tell = partial(print_line, bar)

        def found(discovery: Discovery) -> None:
            nonlocal patients
            patients = discovery.n_patients

        def advance(case: Case, done: int, total: int) -> None:
            if done == 0:
                which = f"{len(outcomes) + 1} of {patients} " if patients > 1 else ""
                bar.reset(task, description=f"{which}{case.name}", total=total)
            bar.update(task, advance=done)

        def foresee(case: Case, evaluations: int, seconds: float) -> None:
            tell(_plan(case.name, evaluations, seconds, str(loaded.compute.device)))

        told: dict[str, Any] = {"found": found, "advance": advance, "foresee": foresee}
        with closing(
            segment_folder(source, out, loaded, estimation, **told, tell=tell, **settings)
        ) as run:
            for outcome in run:
                outcomes.append(outcome)
                tell(_line(outcome))
        bar.remove_task(task)
    _raise_failures(outcomes)
    return outcomes


def _plan(name: str, evaluations: int, seconds: float, device: str) -> str:
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return (
        f"{name}: {evaluations:,} network evaluations, about {hours} h {minutes:02} min on "
        f"{device}. It may be stopped: the same command goes on from there."
    )


def _line(outcome: Outcome) -> str:
    record = outcome.record
    if record is None:
        return f"{outcome.case}: failed"
    volumes = [_volume(record.volume_ml, record.volume_interval_ml)]
    if len(record.kinds) > 1:
        each = ((k.name, _volume(k.volume_ml, k.volume_interval_ml)) for k in record.kinds)
        volumes = [f"{name} {volume}" for name, volume in each]
    kept = ", already done" if outcome.kept else ""
    unmade = "".join(f"; {w}" for w in record.warnings if w.endswith(")") and UNMADE in w)
    return f"{outcome.case}: {', '.join(volumes)}{kept}{_distrust(record)}{unmade}"


def _volume(volume_ml: float, interval_ml: tuple[float, float] | None) -> str:
    spread = f" ({interval_ml[0]:.1f} to {interval_ml[1]:.1f})" if interval_ml else ""
    return f"{volume_ml:.1f} mL{spread}"


def _distrust(record: Record) -> str:
    """Which checks speak against the result; the report and result.json say more."""
    if record.trust is None or record.trust.ok:
        return ""
    return f"; do not rely on it: {', '.join(dict.fromkeys(r.check for r in record.trust.reasons))}"


def _raise_failures(outcomes: list[Outcome]) -> None:
    from strokediff.util.plaintext import visible

    failed = [o for o in outcomes if o.exception]
    if not failed:
        return
    if len(outcomes) == 1 and failed[0].exception:
        raise failed[0].exception
    lines = "\n".join(visible(f"  {o.case}: {o.error}") for o in failed)
    message = f"{len(failed)} of {len(outcomes)} patients failed (see summary.csv):\n{lines}"
    raise (PartialFailure if len(failed) < len(outcomes) else InputError)(message)
