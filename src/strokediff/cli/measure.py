"""`strokediff measure CT MASK`: the report of any mask, whoever drew it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from strokediff.result.reading import Reading


def measure(
    ct: Annotated[Path, typer.Argument(metavar="CT", help="NIfTI file, or DICOM of one patient.")],
    mask: Annotated[
        Path,
        typer.Argument(
            metavar="MASK",
            help="NIfTI file on the grid of CT, or DICOM segmentation of its series.",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who drew the mask; default: who saved it, if known."),
    ] = None,
    how: Annotated[
        str | None,
        typer.Option(help="manual, corrected (a model's mask) or automatic (another program)."),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Values of the kinds of lesion, e.g. infarct=1,haemorrhage=2; by default what "
            "lies beside the mask says, else a binary mask of lesions of any kind.",
        ),
    ] = "",
    series: Annotated[str | None, typer.Option(help="UID of the DICOM series of CT.")] = None,
    dicom: Annotated[
        list[str] | None,
        typer.Option(metavar="OBJECTS", help="For the PACS, of a DICOM CT: seg, sr and sc."),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview/--no-preview", help="Write preview.png and report.html.")
    ] = True,
    viewer: Annotated[
        bool | None,
        typer.Option(
            "--viewer/--no-viewer", help="Write viewer.html.", show_default="as --preview"
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Measure a lesion mask: a person's, nnU-Net's, 3D Slicer's. Research use only.

    Writes what `segment` writes (report, result.json, viewer and, with --dicom, objects for the
    PACS), and says whose mask it is. Every voxel counts; there is no interval.
    """
    from strokediff.cli.lists import listed
    from strokediff.ct.read import read_ct
    from strokediff.prediction.labels import parsed_labels
    from strokediff.reading.drawn import measure_mask
    from strokediff.reading.mask import read_drawn, way

    scan = read_ct(ct, series=series)
    given = parsed_labels(labels) if labels else None
    drawn = read_drawn(mask, scan, labels=given, by=by, how=way(how))
    found = measure_mask(scan, drawn.labels, drawn.reader, drawn.kinds)
    saved = found.save(out, pictures=preview, viewer=viewer, dicom=listed(dicom))
    if not quiet:
        _tell(saved, out)


def _tell(found: Reading, out: Path) -> None:
    from rich.console import Console

    from strokediff.util.plaintext import visible

    console = Console(soft_wrap=True, highlight=False, markup=False)
    each = ", ".join(f"{own.name} {own.volume_ml:.1f} mL" for own in found.kinds)
    console.print(visible(f"{each}; {found.reader.shown}"))
    for warning in found.warnings:
        console.print(visible(f"Warning: {warning}"))
    console.print(visible(f"Results in {out}"))
