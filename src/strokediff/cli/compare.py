"""`strokediff compare`: two readers' masks, or a reader's and a model's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from strokediff.errors import PartialFailure
    from strokediff.evaluation.agreement.cohort import CohortAgreement
    from strokediff.evaluation.agreement.kappa import Decisions
    from strokediff.prediction.comparing import Comparison
    from strokediff.prediction.readers import ReadTwice


def compare(
    a: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="One reader's masks: NAME.nii.gz, or NAME/lesion_mask.nii.gz; or a single mask.",
        ),
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other's, on the same grids.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="OUT.csv (a row a patient); OUT.json and OUT.png beside it."
        ),
    ],
    thresholds: Annotated[
        str,
        typer.Option(
            metavar="ML,...",
            help="Volumes by which both decide, for kappa: 1,10,30,50,70 mL by default.",
        ),
    ] = "",
    labels: Annotated[
        str,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Values of the kinds of lesion, e.g. infarct=1,haemorrhage=2 (2+3: two values); "
            "by default what a result.json or cohort.json with the masks declares.",
        ),
    ] = "",
    unit: Annotated[
        str,
        typer.Option(
            help="mm, px (pixels, for images without spacing), or auto: px where a cohort.json "
            "with the masks says that spacing is unknown."
        ),
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Compare two readers' masks of the same patients, of whom neither is the truth.

    Volumes: bias and limits of agreement (Bland and Altman), ICC, Lin's CCC, Cohen's kappa of who
    has a lesion and of who has so many mL. Masks: Dice and other overlap. All with intervals. A
    patient of whom only one reader has a mask is named, and the exit code is 4.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    from strokediff.prediction.comparing import check_outputs, compare_folders
    from strokediff.prediction.labels import parsed_labels
    from strokediff.util.plaintext import visible

    check_outputs(output)
    console = Console(quiet=quiet)

    def each(pairs: list[ReadTwice]) -> Iterable[ReadTwice]:
        return track(pairs, "Comparing", console=console, transient=True)

    found = compare_folders(
        a,
        b,
        labels=parsed_labels(labels) if labels else None,
        thresholds=_parsed(thresholds) if thresholds else None,
        unit=unit,
        each=each,
    )
    for warning in found.warnings:
        console.print(f"[yellow]Warning:[/] {escape(warning)}")
    written = found.write(output)
    console.print(f"A: {found.names[0]}. B: {found.names[1]}.", highlight=False, markup=False)
    for kind, own in found.parts.items():
        console.print(_table(kind, own))
    console.print("Neither is the truth. For research use only; not a medical device.")
    told = f"Wrote {', '.join(map(str, written))}"
    console.print(visible(told), highlight=False, markup=False)
    if found.unpaired:
        raise _left_out(found, written[0])


def _parsed(text: str) -> list[float]:
    from strokediff.errors import UsageError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--thresholds {text}: expected volumes with commas, as in 1,10,30,50,70."
        ) from None


def _table(kind: str, own: CohortAgreement) -> Table:
    from rich.table import Table

    n = own.volumes.n
    title = f"{kind}: {n} patient{'s' if n != 1 else ''}"
    table = Table("figure", "value [95 % interval]", title=title)
    for name, told in _rows(own):
        table.add_row(name, told)
    return table


def _rows(own: CohortAgreement) -> Iterator[tuple[str, str]]:
    from strokediff.evaluation.unit import Unit

    volumes, overlap = own.volumes, own.overlap
    ml, mm = ("mL", "mm") if own.unit is Unit.MM else ("voxels", "px")
    grows = " (differences grow with the volume: read A / B)" if volumes.spread_grows else ""
    yield f"A - B, {ml}: bias", volumes.difference.bias.told(".3g")
    yield "  lower limit of agreement", volumes.difference.lower.told(".3g")
    yield f"  upper limit of agreement{grows}", volumes.difference.upper.told(".3g")
    yield f"  slope over the mean, {ml} per {ml}", volumes.difference.proportional.slope.told()
    yield f"A / B: bias ({volumes.ratio.n} with both)", volumes.ratio.bias.told()
    yield "  lower limit of agreement", volumes.ratio.lower.told()
    yield "  upper limit of agreement", volumes.ratio.upper.told()
    yield "ICC(2,1), absolute agreement", volumes.icc.icc_2_1.told()
    yield "ICC(3,1), consistency", volumes.icc.icc_3_1.told()
    yield "CCC (Lin)", volumes.ccc.told()
    yield f"kappa, a lesion: {_counted(volumes.lesion)}", volumes.kappa().told()
    for volume, decided in volumes.at_least.items():
        told = volumes.kappa(volume).told()
        yield f"kappa, {volume:g} {ml} or more: {_counted(decided)}", told
    yield "Dice, mean", overlap.dice.told()
    yield f"  of {overlap.n_marked} with a lesion by A or B", overlap.dice_marked.told()
    yield f"HD95, mean, {mm}", overlap.hd95_mm.told(".1f")
    yield "kappa, voxels", overlap.kappa_voxels.told()


def _counted(found: Decisions) -> str:
    return f"both {found.both}, A {found.only_a}, B {found.only_b}, none {found.neither}"


def _left_out(found: Comparison, table: Path) -> PartialFailure:
    """Names whom only one reader has; all are in the table."""
    from strokediff.errors import SHOWN, PartialFailure
    from strokediff.prediction.readers import NEITHER
    from strokediff.util.plaintext import visible

    lines = []
    for one in found.unpaired:
        who = "no mask of either" if one.reader == NEITHER else f"only {one.reader} has a mask"
        why = f" ({visible(one.reason)})" if one.reason else ""
        lines.append(f"- {visible(one.case)}: {who}{why}")
    more = [f"- and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    compared = len(next(iter(found.rows.values())))
    return PartialFailure(
        f"{table}: {compared} patients compared; {len(lines)} are in no figure, as not both "
        "readers have a mask of them (all are in the table; where nothing was found, give an empty "
        "mask):\n" + "\n".join([*lines[:SHOWN], *more])
    )
