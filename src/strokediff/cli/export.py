"""`strokediff export nnunet|dicom`: what was made here, in the forms of other tools."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

export = typer.Typer(help="Write what was made here as other tools have it.", no_args_is_help=True)


@export.command()
def nnunet(
    source: Annotated[
        Path, typer.Argument(help="Scans and masks that COHORT was prepared from.", metavar="SRC")
    ],
    out: Annotated[Path, typer.Argument(help="nnU-Net's raw folder (nnUNet_raw).", metavar="OUT")],
    cohort: Annotated[
        Path, typer.Option(help="Cohort written by 'strokediff prepare'; its split is used.")
    ],
    number: Annotated[int, typer.Option("--id", help="NNN of DatasetNNN_Name.")] = 501,
    name: Annotated[str, typer.Option(help="Name of DatasetNNN_Name.")] = "StrokeDiff",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Write nnU-Net v2's raw data set with the cohort's split.

    Predictions of its test images, named NAME.nii.gz, are scored with `strokediff evaluate`.
    """
    from rich.console import Console

    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.exporting import export_nnunet
    from strokediff.cohort.store import open_cohort

    opened = open_cohort(cohort)
    with progress_bar(quiet) as bar:
        task = bar.add_task("copying", total=None)

        def show(done: int, total: int, case: str) -> None:
            bar.update(task, completed=done, total=total, description=case or "copied")

        made = export_nnunet(source, opened, out, number=number, name=name, progress=show)
    counts = {split: len(names) for split, names in opened.split.items()}
    images, truth = (shlex.quote(str(made / part)) for part in ("imagesTs", "labelsTs"))
    folder = shlex.quote(f"nnUNet_preprocessed/{made.name}/")
    lines = [
        f"{made}: {counts['train']} train and {counts['val']} val in imagesTr, "
        f"{counts['test']} test in imagesTs.",
        f"After nnUNetv2_plan_and_preprocess -d {number}, copy splits_final.json to "
        f"{folder} and train fold 0.",
        f"Score its predictions: strokediff evaluate PRED {truth} -o metrics.csv",
        f"Beside them, a model of strokediff on the same grids: strokediff segment {images} -o "
        f"SEG --model MODEL; strokediff evaluate SEG {truth} -o ours.csv",
    ]
    for line in lines:
        Console(quiet=quiet).print(line, highlight=False, markup=False, soft_wrap=True)


@export.command()
def dicom(
    result: Annotated[Path, typer.Argument(help="Folder that 'strokediff segment' wrote.")],
    source: Annotated[Path, typer.Option(help="The DICOM that was segmented.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder for the objects.")],
    objects: Annotated[
        list[str] | None, typer.Option(help="seg, sr, sc; commas, or repeated. All if not given.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Write a result as DICOM objects for the PACS: segmentation, structured report, montage.

    They refer to the series that was segmented. The same result gives the same objects, bit for
    bit. Research use only.
    """
    from rich.console import Console

    from strokediff.cli.lists import listed
    from strokediff.segmentation.objects import export_objects
    from strokediff.segmentation.outputs import DICOM

    absent = export_objects(result, source, out, listed(objects) or tuple(DICOM))
    told = [f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}", *absent]
    for line in told:
        Console(quiet=quiet).print(line, highlight=False, markup=False, soft_wrap=True)
