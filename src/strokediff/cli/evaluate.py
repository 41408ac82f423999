"""`strokediff evaluate`: score predicted masks against true ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strokediff.errors import InputError, UsageError, raise_all

if TYPE_CHECKING:
    from rich.console import Console

    from strokediff.evaluation.metrics import CaseMetrics
    from strokediff.evaluation.summary import Summary
    from strokediff.evaluation.unit import Unit
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
            help="Lesion probabilities for the AUC: NAME.nii.gz, or NAME/lesion_prob.nii.gz "
            "(found without this option where `segment` wrote them for all patients)."
        ),
    ] = None,
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
    the diagonal of the image's box as its distance.
    """
    from rich.console import Console
    from rich.markup import escape

    from strokediff.evaluation.summary import summarize
    from strokediff.evaluation.tables import format_csv, format_json, is_metrics
    from strokediff.prediction.pairing import listed, pair_cases
    from strokediff.util.files import write_text
    from strokediff.util.plaintext import visible

    if output.suffix != ".csv":
        raise UsageError(f"{output}: expected an output that ends in .csv, such as metrics.csv.")
    output_json = output.with_suffix(".json")
    if output_json.is_file() and not is_metrics(output_json.read_bytes()):
        raise UsageError(
            f"{output_json}: exists and is no summary of 'strokediff evaluate', which would "
            "replace it. Choose another name for the output."
        )
    console = Console(quiet=quiet)
    pairs, extra = pair_cases(pred_dir, truth_dir, probabilities)
    if extra:
        console.print(
            f"[yellow]Warning:[/] {len(extra)} predictions have no true mask and are left out: "
            f"{escape(listed(extra))}"
        )
    rows = _evaluate_all(pairs, _unit(unit, truth_dir, console), console)
    summary = summarize(rows)
    write_text(output, format_csv(rows))
    write_text(output_json, format_json(summary))
    _print_summary(console, summary)
    console.print(visible(f"Wrote {output} and {output_json}"), highlight=False, markup=False)


def _unit(name: str, truth_dir: Path, console: Console) -> Unit:
    """The unit that was asked for, or that the truth's cohort.json calls for."""
    from strokediff.cohort.sources import spacing_known_beside
    from strokediff.evaluation.unit import Unit

    known = spacing_known_beside(truth_dir)
    if name == "auto":
        return Unit.MM if known else Unit.PX
    if name not in (u.value for u in Unit):
        raise UsageError(f"--unit: expected auto, mm or px, got {name!r}.")
    if name == "mm" and not known:
        console.print("[yellow]Warning:[/] spacing is unknown, so mm and mL are nominal.")
    return Unit(name)


def _evaluate_all(pairs: list[Pair], unit: Unit, console: Console) -> list[CaseMetrics]:
    """The rows; every unsuitable file is reported, not only the first, and then none counts."""
    from rich.progress import track

    rows, problems = [], []
    for pair in track(pairs, "Evaluating", console=console, transient=True):
        try:
            rows.append(_evaluate_pair(pair, unit))
        except InputError as error:
            problems.append(error)
    raise_all(problems)
    return rows


def _evaluate_pair(pair: Pair, unit: Unit) -> CaseMetrics:
    from strokediff.ct.nifti.masks import check_same_grid, read_mask, read_probability
    from strokediff.evaluation.metrics import evaluate_case

    true, pred = read_mask(pair.true), read_mask(pair.pred)
    check_same_grid(pred, true)
    prob = None
    if pair.prob is not None:
        prob = read_probability(pair.prob)
        check_same_grid(prob, true)
    return evaluate_case(
        pair.case,
        mask_pred=pred.array,
        mask_true=true.array,
        affine=true.affine,
        prob=None if prob is None else prob.array,
        unit=unit,
    )


def _print_summary(console: Console, summary: Summary) -> None:
    from rich.table import Table

    counts = summary.counts
    table = Table(title=f"{counts['n_cases']} patients")
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
