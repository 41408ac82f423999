"""`strokediff phantom`: write a cohort of synthetic head CTs with known truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strokediff.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from strokediff.phantom.backgrounds import Backgrounds

MATRIX = 512


class PhantomKind(StrEnum):
    """What the phantoms suffer from."""

    infarct = "infarct"
    hemorrhage = "hemorrhage"
    haemorrhage = "haemorrhage"


def phantom(
    kind: Annotated[PhantomKind, typer.Option(help="What the phantoms suffer from.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the cohort.")],
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many phantoms.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Phantom i depends on (seed, i) only.")] = 0,
    labels: Annotated[
        Path | None,
        typer.Option(help="Folder of whole-head label maps (FreeSurfer/SynthSeg) for the anatomy."),
    ] = None,
    lesions: Annotated[
        Path | None,
        typer.Option(help="Folder of lesion masks in MNI space for the outlines of infarcts."),
    ] = None,
    backgrounds: Annotated[
        Path | None,
        typer.Option(
            help="Folder of labelled scans, as 'import' writes it: lesions are put into those "
            "real heads whose label is empty."
        ),
    ] = None,
    matrix: Annotated[int, typer.Option(min=32, help="Pixels along a row.")] = MATRIX,
    slices: Annotated[
        int | None, typer.Option(min=1, help="Number of slices, from the vertex down; default all.")
    ] = None,
    thickness: Annotated[
        float | None,
        typer.Option(help="Slice thickness in mm; default 5 (infarct) or 2.5 (hemorrhage)."),
    ] = None,
    empty_fraction: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of phantoms without a lesion.")
    ] = 0.05,
    randomise: Annotated[
        bool,
        typer.Option(
            "--randomise",
            help="Poses, scanners and artefacts wider than real ones; slices of 1 to 8 mm.",
        ),
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Phantoms made at once; 0: one a core.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Write a cohort of synthetic head CTs with known truth.

    In the folder: images/ (HU), labels/ (lesion), brain/ (intracranial cavity) and cohort.json.
    With --backgrounds the heads are real and only the lesions are synthetic; labels hold 1 for
    infarct and 2 for haemorrhage.
    Finished cases are kept, so an interrupted run goes on where it stopped.
    """
    import os
    from functools import partial

    from rich.console import Console
    from rich.progress import Progress

    from strokediff.phantom.backgrounds import write_backgrounds
    from strokediff.phantom.cohort import write_cohort
    from strokediff.phantom.labels import label_atlases
    from strokediff.phantom.masks import MaskShapes
    from strokediff.phantom.params import lesion_kind
    from strokediff.phantom.template import WheelSource

    console = Console(quiet=quiet)
    shared: dict[str, Any] = {
        "empty_fraction": empty_fraction,
        "shapes": MaskShapes.from_folder(lesions) if lesions else None,
        "jobs": jobs or os.cpu_count() or 1,
    }
    what, wanted = "phantoms", lesion_kind(kind.value)
    if backgrounds is not None:
        refuse(
            {
                "--randomise": randomise,
                "--labels": labels,
                "--slices": slices,
                "--thickness": thickness,
                "--matrix": matrix != MATRIX,
            }
        )
        what, heads = "heads", read_heads(backgrounds, console)
        write = partial(write_backgrounds, number, wanted, heads, out, seed, **shared)
    else:
        write = partial(
            write_cohort,
            *(number, wanted, out, seed),
            matrix=matrix,
            slices=slices,
            thickness_mm=thickness,
            randomise=randomise,
            atlases=label_atlases(labels) if labels else (WheelSource(),),
            **shared,
        )
    with Progress(console=console, disable=quiet) as progress:
        task = progress.add_task(f"{what} with {kind.value}", total=number)
        paths = write(on_case=lambda _name, _made: progress.advance(task))
    console.print(f"{len(paths)} {what} in {out} (images, labels, brain, cohort.json)")


def refuse(options: dict[str, object]) -> None:
    """`UsageError` if any option is given that makes no sense for real heads."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(
            f"{', '.join(given)}: for whole phantoms; leave out with --backgrounds, whose scans "
            "are taken as they are."
        )


def read_heads(folder: Path, console: Console) -> Backgrounds:
    """The lesion-free scans of a folder; how many are left out is said."""
    from strokediff.phantom.backgrounds import Backgrounds

    heads = Backgrounds.read(folder)
    if heads.with_lesion:
        console.print(
            f"{len(heads.scans)} lesion-free scans in {folder}; "
            f"{len(heads.with_lesion)} with a lesion are left out"
        )
    return heads
