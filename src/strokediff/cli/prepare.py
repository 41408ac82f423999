"""`strokediff prepare`: labelled scans onto the network's grid, split by patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strokediff.errors import PartialFailure


def prepare(
    source: Annotated[Path, typer.Argument(help="Folder with images/ and labels/ (or nnU-Net's).")],
    cohort: Annotated[Path, typer.Argument(help="Folder to write the cohort to.")],
    preset: Annotated[str, typer.Option(help="Grid of this training preset.")] = "tiny",
    val: Annotated[float, typer.Option(help="Share of patients for validation.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of patients held out for testing.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the split.")] = 0,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Kinds of lesion to tell apart, e.g. infarct,haemorrhage; 'lesion' joins them; "
            "by default what the scans' cohort.json declares."
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Scans read at once; 0: one a core.")
    ] = 0,
    skip_damaged: Annotated[
        bool,
        typer.Option(
            "--skip-damaged",
            help="Leave scans out that cannot be used, name them, and exit with 4.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Check labelled scans and write them as a cohort for training (zarr, split by patient).

    A split that an imported data set declares is kept, whatever --val and --test say.
    """
    import os

    from rich.console import Console

    from strokediff.cli.lists import listed
    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.prepare import prepare_cohort
    from strokediff.ct.grid import GridConfig
    from strokediff.training.config import training_preset

    chosen = training_preset(preset)
    grid = GridConfig(size=chosen.size, spacing_mm=chosen.spacing_mm)
    with progress_bar(quiet) as bar:
        task = bar.add_task("preparing", total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name or "prepared")

        made = prepare_cohort(
            source,
            cohort,
            grid,
            seed=seed,
            val=val,
            test=test,
            kinds=listed([kinds]) if kinds is not None else None,
            jobs=jobs or os.cpu_count() or 1,
            skip_damaged=skip_damaged,
            progress=show,
        )
    for line in (f"{cohort}: {made}", *(f"warning: {finding}" for finding in made.findings)):
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
    if made.left_out:
        raise PartialFailure.left_out(cohort, made.left_out, len(made.patients))
