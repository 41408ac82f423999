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

    from strokediff.cli.progress import progress_bar
    from strokediff.cohort import prepare as preparing
    from strokediff.ct.grid import GridConfig
    from strokediff.training.config import training_preset

    chosen = training_preset(preset)
    grid = GridConfig(size=chosen.size, spacing_mm=chosen.spacing_mm)
    with progress_bar(quiet) as bar:
        task = bar.add_task("preparing", total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name or "prepared")

        made = preparing.prepare(
            source,
            cohort,
            grid,
            seed=seed,
            val=val,
            test=test,
            jobs=jobs or os.cpu_count() or 1,
            skip_damaged=skip_damaged,
            progress=show,
        )
    counts = ", ".join(f"{len(names)} {name}" for name, names in made.split.items())
    lesions = sum(entry["lesion_slices"] > 0 for entry in made.patients.values())
    assumed = made.origin.get("spacing_note")
    nominal = f" ({assumed})" if assumed else ""
    nominal = nominal if made.spacing_known else " (nominal: spacing is unknown)"
    lines = [
        f"{cohort}: {len(made.patients)} patients ({counts}); {lesions} with a lesion; "
        f"{grid.size} x {grid.size} pixels of {grid.spacing_mm} mm{nominal}",
        *(f"warning: {finding}" for finding in made.findings),
    ]
    for line in lines:
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
    if made.left_out:
        raise PartialFailure.left_out(cohort, made.left_out, len(made.patients))
