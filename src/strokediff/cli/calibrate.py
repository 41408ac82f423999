"""`strokediff calibrate`: what a model counts as a lesion, from patients it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from strokediff.segmentation.calibrate.tune import TunedMethod


def calibrate(
    model: Annotated[Path, typer.Argument(help="Checkpoint that 'strokediff train' wrote.")],
    data: Annotated[
        Path | None, typer.Option(help="Labelled scans that its cohort was prepared from.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the calibrated model.")
    ] = None,
    tables: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-table",
            metavar="FILE",
            help="In place of --data: sheets of answers (.json; repeated), or a table of volumes "
            "(.csv: patient, kind, volume_pred_ml, doubt_ml, volume_true_ml).",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--answers", metavar="FILE", help="In place of -o: write the answers alone."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="Whose --answers: val, test as of a fold's model, or unseen: all scans in --data."
        ),
    ] = "val",
    methods: Annotated[
        list[str] | None,
        typer.Option(help="avg, matched, sal, infer, all; commas, or repeated. All if not given."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            help="With --from-table: choose for these kinds of lesion alone; commas, or repeated."
        ),
    ] = None,
    spare: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Leave this share of scans without a lesion below 1 mL, and take the decision "
            "with most Dice on those with one. For cohorts of which most have none.",
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="fast, paper, or printed.")] = "fast",
    population: Annotated[
        str, typer.Option(help="Who the patients are, for the reports: 'phantoms', say.")
    ] = "patients",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Choose threshold and least lesion, and calibrate the volume's interval, for each method.

    The model's validation patients (split.json) go through 'segment'. For every kind of lesion the
    decision with the least volume error is kept of those with nearly the best mean Dice, or as
    --spare says. Intervals are of volumes at decisions that other patients chose. Test patients
    are not read. The model in -o is used as any other: segment --model.

    For a model that was trained on all patients, ask the model of each fold on its test patients
    (--split test --answers FOLD.json) and give all sheets with --from-table.
    """
    from rich.console import Console

    from strokediff.cli.lists import listed
    from strokediff.errors import UsageError
    from strokediff.inference.estimation import METHODS, Estimation
    from strokediff.segmentation.calibrate import run
    from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Sparing

    _check_options(data, out, tables, sheet, split)
    if spare is not None and sheet:
        raise UsageError("--spare is for -o: --answers writes what every decision would give.")
    rule = NEARLY_BEST_DICE if spare is None else Sparing(spare)
    names, only = listed(methods) or METHODS, listed(kinds)
    if only and not tables:
        raise UsageError("--kinds is for --from-table: --data chooses for every kind of lesion.")
    estimations = [Estimation(name, preset) for name in names]
    console = Console(quiet=quiet)
    patients: list[list[str]] = []
    found: Mapping[str, TunedMethod] = {}
    said = ""
    if tables and out:
        found = run.calibrate_from(
            model, tables, out, estimations, kinds=only, population=population, rule=rule
        )
        said = f"From {', '.join(table.name for table in tables)}."
    elif data:
        with _asking(quiet, device, patients) as asked:
            if sheet:
                run.answers(model, data, estimations, split=split, **asked).write(sheet)
                said = f"Answers on {len(patients)} patients: {sheet}"
            elif out:
                found = run.calibrate(
                    model, data, out, estimations, population=population, rule=rule, **asked
                )
                said = f"{len(patients)} validation patients; before: cut 0.50, least 0 mL."
    if out:
        console.print(_table(found))
        said += f" Model: {out}.{_too_few(found)}"
    console.print(said, soft_wrap=True, highlight=False, markup=False)


def _check_options(
    data: Path | None, out: Path | None, tables: list[Path] | None, sheet: Path | None, split: str
) -> None:
    from strokediff.errors import UsageError

    if bool(data) == bool(tables) or bool(out) == bool(sheet) or (tables and sheet):
        raise UsageError(
            "expected one of: --data SCANS -o OUT (a calibrated model), --data SCANS --answers "
            "FILE (a sheet of answers), --from-table FILE -o OUT (a calibrated model from them)."
        )
    if split != "val" and not sheet:
        raise UsageError(
            f"--split {split} is for --answers: what is chosen by a model's test patients cannot "
            "be tested on them. Give the answers of folds with --from-table."
        )


@contextmanager
def _asking(quiet: bool, device: str, patients: list[list[str]]) -> Iterator[dict[str, Any]]:
    """How patients are asked, behind a progress bar; who they are is put into `patients`."""
    from strokediff.cli.progress import progress_bar
    from strokediff.inference.compute import Compute

    with progress_bar(quiet) as bar:
        task = bar.add_task("scans", total=None)

        def begun(scans: list[list[str]]) -> None:
            patients.extend(scans)
            bar.update(task, total=sum(map(len, scans)))

        advance: Callable[[str], None] = lambda name: bar.advance(task)  # noqa: E731
        yield {"compute": Compute.of(device), "begun": begun, "on_head": advance}


def _table(found: Mapping[str, TunedMethod]) -> Table:
    """A row a method and kind of lesion, and one for all joined where there are several.

    "without": of scans without a lesion, how many have less than 1 mL marked.
    """
    from rich.table import Table

    several = any(len(own.calibrations) > 1 for own in found.values())
    kind = ["kind"] if several else []
    table = Table(
        "method", *kind, "cut", "least, mL", "mean Dice", "mean VDP", "without", "interval"
    )
    for key, own in found.items():
        for name, interval in own.calibrations.items():
            chosen = own.kinds.get(name)
            cells = [""] * 5
            if chosen:
                before, after = chosen.before, chosen.after
                cells = [
                    f"{(after.decision.threshold + 1) / 2:.2f}",
                    f"{after.decision.least_lesion_ml:g}",
                    f"{before.dice:.3f} -> {after.dice:.3f}",
                    f"{_told(before.vdp)} -> {_told(after.vdp)}",
                    _told(after.spared, ".0%"),
                ]
            told = f"{interval.form}, {interval.level:.0%}"
            table.add_row(key, *([name] if several else []), *cells, told)
    return table


def _told(value: float | None, form: str = ".3f") -> str:
    return "none" if value is None else format(value, form)


def _too_few(found: Mapping[str, TunedMethod]) -> str:
    intervals = [own for method in found.values() for own in method.calibrations.values()]
    enough = all(own.enough for own in intervals)
    return "" if enough else " Too few patients: the intervals promise more than they hold."
