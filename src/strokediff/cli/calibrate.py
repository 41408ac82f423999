"""`strokediff calibrate`: what a trained model counts as a lesion, from its validation patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    model: Annotated[Path, typer.Argument(help="Checkpoint that 'strokediff train' wrote.")],
    data: Annotated[Path, typer.Option(help="Labelled scans that its cohort was prepared from.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the calibrated model.")],
    methods: Annotated[
        list[str] | None,
        typer.Option(help="avg, sal, infer, all; commas, or repeated. All if not given."),
    ] = None,
    preset: Annotated[str, typer.Option(help="fast, or paper as printed.")] = "fast",
    population: Annotated[
        str, typer.Option(help="Who the patients are, for the reports: 'phantoms', say.")
    ] = "patients",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Choose threshold and least lesion, and calibrate the volume's interval, for each method.

    The model's validation patients (split.json) go through 'segment'. Every other one serves the
    decision: of those with nearly the best mean Dice the one with the least volume error is kept.
    The others serve the interval. Test patients are not read. The model in -o is used as any other:
    segment --model.
    """
    from rich.console import Console
    from rich.table import Table

    from strokediff.cli.progress import progress_bar
    from strokediff.inference.compute import Compute
    from strokediff.inference.estimation import METHODS, Estimation
    from strokediff.segmentation.calibrate.run import calibrate as calibrate_in

    names = [n.strip() for n in ",".join(methods or METHODS).split(",") if n.strip()]
    patients: list[list[str]] = []
    with progress_bar(quiet) as bar:
        task = bar.add_task("validation scans", total=None)

        def begun(scans: list[list[str]]) -> None:
            patients.extend(scans)
            bar.update(task, total=sum(map(len, scans)))

        found = calibrate_in(
            model,
            data,
            out,
            [Estimation(name, preset) for name in names],
            population=population,
            compute=Compute.of(device),
            begun=begun,
            on_head=lambda name: bar.advance(task),
        )
    table = Table("method", "cut", "least, mL", "mean Dice", "mean VDP", "interval")
    for key, own in found.items():
        table.add_row(
            key,
            f"{(own.after.decision.threshold + 1) / 2:.2f}",
            f"{own.after.decision.least_lesion_ml:g}",
            f"{own.before.dice:.3f} -> {own.after.dice:.3f}",
            f"{own.before.vdp:.3f} -> {own.after.vdp:.3f}",
            f"{own.calibration.form}, {own.calibration.level:.0%}",
        )
    console = Console(quiet=quiet)
    console.print(table)
    enough = all(own.calibration.enough for own in found.values())
    few = "" if enough else " Too few patients: the intervals promise more than they hold."
    console.print(
        f"{len(patients)} validation patients, {(len(patients) + 1) // 2} for the decision, the "
        f"others for the interval; before: cut 0.50, least 0 mL. Model: {out}.{few}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
