"""`strokediff evaluate`: score predicted masks against true ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from strokediff.evaluation.kinds import KindConfusion
    from strokediff.evaluation.summary import Summary
    from strokediff.prediction.pairing import Pair


def evaluate(
    pred_dir: Annotated[
        Path,
        typer.Argument(
            help="Predicted masks: NAME.nii.gz, or NAME/lesion_mask.nii.gz (NAME_0000 of nnU-Net's "
            "images too)."
        ),
    ],
    truth_dir: Annotated[Path, typer.Argument(help="True masks: NAME.nii.gz, on the same grids.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The table (CSV); its summary is .json beside it."),
    ],
    probabilities: Annotated[
        Path | None,
        typer.Option(
            help="Lesion probabilities for their AUC: NAME.nii.gz, or NAME/lesion_prob.nii.gz "
            "(found without this option where `segment` wrote them for all patients)."
        ),
    ] = None,
    within: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where both AUC are taken, for air makes them high: NAME.nii.gz, masks of the "
            "brain or head, or the scans themselves (in HU; all but air).",
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Values of the kinds of lesion, e.g. infarct=1,haemorrhage=2 (2+3: two values); "
            "by default what a cohort.json with the true masks declares.",
        ),
    ] = "",
    unit: Annotated[
        str,
        typer.Option(
            help="mm, px (pixels, for images without spacing), or auto: px where a cohort.json "
            "with the true masks says that spacing is unknown."
        ),
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Score predicted lesion masks against true ones, per patient in 3D, in mm and mL (or pixels).

    Every true mask needs a prediction. A lesion that was missed altogether counts with Dice 0 and
    the diagonal of the image's box as its distance. Where kinds of lesion are told apart, each is
    scored alone and all joined, and it is told which was taken for which. auc is that of the
    probabilities, auc_mask that of the mask, (recall + specificity) / 2.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    from strokediff.prediction.labels import parsed_labels
    from strokediff.prediction.scoring import check_table, evaluate_folders
    from strokediff.util.plaintext import visible

    check_table(output)
    console = Console(quiet=quiet)

    def each(pairs: list[Pair]) -> Iterable[Pair]:
        return track(pairs, "Evaluating", console=console, transient=True)

    given = parsed_labels(labels) if labels else None
    found = evaluate_folders(
        *(pred_dir, truth_dir, probabilities),
        within=within,
        labels=given,
        unit=unit,
        each=each,
    )
    for warning in found.warnings:
        console.print(f"[yellow]Warning:[/] {escape(warning)}")
    table, summary = found.write(output)
    n = len(found.rows)
    joined = f"{n} patients, lesions of any kind" if found.cases else f"{n} patients"
    for title, own in {joined: found.summary, **found.kinds}.items():
        _print_summary(console, title, own)
    if found.confusion is not None:
        _print_confusion(console, found.confusion)
    console.print(visible(f"Wrote {table} and {summary}"), highlight=False, markup=False)


def _print_summary(console: Console, title: str, summary: Summary) -> None:
    from rich.table import Table

    counts = summary.counts
    table = Table(title=title)
    for column in ("metric", "mean", "sd", "median", "n"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name in summary.mean:
        cells = (summary.mean[name], summary.sd[name], summary.median[name])
        table.add_row(
            name, *("-" if v is None else f"{v:.3f}" for v in cells), str(summary.n[name])
        )
    vc = summary.vc_note if summary.vc is None else f"{summary.vc:.3f}"
    table.add_row("vc", vc, "", "", str(counts["n_cases"]))
    console.print(table)
    console.print(
        f"Empty masks: both {counts['both_empty']}, only the prediction {counts['pred_empty']}, "
        f"only the truth {counts['truth_empty']}; without VDP {counts['vdp_excluded']}."
    )


def _print_confusion(console: Console, found: KindConfusion) -> None:
    """Lesions and voxels found as each kind, of those that touch a true lesion, by the true one."""
    from rich.table import Table

    table = Table(title="found as which kind, truly of which: lesions (voxels)")
    table.add_column("found as")
    for kind in found.kinds:
        table.add_column(kind, justify="right")
    for kind, lesions, voxels in zip(found.kinds, found.lesions, found.voxels, strict=True):
        cells = (f"{n} ({v:,})" for n, v in zip(lesions, voxels, strict=True))
        table.add_row(kind, *cells)
    console.print(table)
    shares = (found.lesions_right, found.voxels_right)
    right = ("-" if share is None else f"{share:.0%}" for share in shares)
    console.print("Kind right: {} of these lesions, {} of their voxels.".format(*right))
