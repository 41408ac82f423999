"""`strokediff noise fit|compare`: noise models on a cohort, and what their noise is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from strokediff.benchmark.noise.compare import Comparison

noise = typer.Typer(
    help="Noise models (SADPM): fit one on a cohort, or measure them all beside its images.",
    no_args_is_help=True,
)

CohortPath = Annotated[
    Path, typer.Argument(metavar="COHORT", help="Cohort written by 'strokediff prepare'.")
]
Features = Annotated[
    int | None,
    typer.Option(min=1, help="D of fourier (the paper's: 3000) and calibrated."),
]
Rank = Annotated[
    int | None, typer.Option(min=1, help="Components of calibrated, low-rank, scanner-low-rank.")
]
Share = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="The scanner's of scanner-low-rank; 1 is scanner."),
]
Shrinkage = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="White share of what is not isotropic or fourier; 1 is white."),
]
Size = Annotated[
    int | None, typer.Option(min=8, help="Resample slices and masks to SIZE x SIZE pixels.")
]
Seed = Annotated[int, typer.Option(help="Fixes what is drawn.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar and no table.")]


@noise.command()
def fit(
    cohort: CohortPath,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the fitted model.")],
    model: Annotated[
        str,
        typer.Option(
            help="isotropic, fourier, fourier-standardised, calibrated, low-rank, scanner or "
            "scanner-low-rank."
        ),
    ],
    features: Features = None,
    rank: Rank = None,
    share: Share = None,
    shrinkage: Shrinkage = None,
    size: Size = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Fit a noise model on the brain slices of the training split and save it."""
    from rich.console import Console

    from strokediff.benchmark.noise import compare
    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.brain_slices import BrainSlices
    from strokediff.cohort.store import open_cohort
    from strokediff.segmentation.patients import check_writable

    name = compare.chosen_models([model])[0]
    opened = open_cohort(cohort)
    compare.check_alone(out)
    check_writable(out)
    with progress_bar(quiet) as bar:
        task = bar.add_task(f"fitting {name}", total=None)
        slices = BrainSlices(opened, opened.split["train"], size=size)
        fitted = compare.fit(
            name, slices, {"seed": seed, **_given(features, rank, share, shrinkage)}
        )
        compare.save_alone(out, fitted)
        bar.update(task, completed=1, total=1)
    if not quiet:
        Console().print(
            f"{out}: {name} noise of {len(slices)} slices of {len(slices.index)} patients, "
            f"{slices.size} x {slices.size} pixels",
            soft_wrap=True,
        )


@noise.command()
def compare(
    cohort: CohortPath,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for noise.json and noise.png.")],
    models: Annotated[
        list[str] | None,
        typer.Option(help="A name, or several with commas; may be repeated. All if not given."),
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Draws of each model.")] = 512,
    features: Features = None,
    rank: Rank = None,
    share: Share = None,
    shrinkage: Shrinkage = None,
    size: Size = None,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(help="Where noise is drawn: auto, cpu, cuda.")] = "cpu",
    quiet: Quiet = False,
) -> None:
    """Measure noise models beside the images: a table, noise.png and noise.json."""
    from strokediff.benchmark.noise import compare
    from strokediff.cli.lists import listed
    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.store import open_cohort
    from strokediff.inference.compute import resolve_device
    from strokediff.segmentation.patients import check_writable

    names = compare.chosen_models(listed(models))
    opened = open_cohort(cohort)
    where = resolve_device(device)
    check_writable(out)
    with progress_bar(quiet) as bar:
        task = bar.add_task("reading", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        found = compare.compare(
            opened,
            names,
            size=size,
            draws=draws,
            seed=seed,
            wanted=_given(features, rank, share, shrinkage),
            device=where,
            advance=show,
        )
    found.write(out)
    if not quiet:
        _print(found, out)


def _given(
    features: int | None, rank: int | None, share: float | None, shrinkage: float | None
) -> dict[str, Any]:
    wanted = {"D": features, "rank": rank, "share": share, "shrinkage": shrinkage}
    return {key: value for key, value in wanted.items() if value is not None}


def _print(found: Comparison, out: Path) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    titles = ("offset rms", "std", "1 px corr.", "disc std", "top-50 energy", "ms a draw")
    table = Table(Column("noise", no_wrap=True), *titles, "MB")
    for name, measured in {**found.models, "images": found.images}.items():
        figures, cost = measured.measurement, measured.cost
        table.add_row(
            name,
            f"{figures.offset_rms:.3f}",
            f"{figures.std:.3f}",
            f"{figures.neighbour_correlation:.3f}",
            f"{figures.disc_std:.3f}",
            f"{100 * figures.top50_energy:.2f} %",
            f"{1e3 * cost.seconds_per_draw:.2f}" if cost else "-",
            f"{cost.bytes / 1e6:.1f}" if cost else "-",
        )
    console = Console()
    console.print(table)
    settings = found.settings
    console.print(
        f"{settings['size']} x {settings['size']} pixels; {settings['slices_fitted']} slices of "
        f"{settings['patients']} patients; {settings['draws']} draws. Written: "
        f"{out / 'noise.png'}, {out / 'noise.json'}",
        soft_wrap=True,
    )
