"""`evaluate_folders`: predicted masks in a folder against true ones in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from strokediff.cohort.sources import spacing_known_beside
from strokediff.ct.nifti.masks import check_same_grid, read_mask, read_probability
from strokediff.errors import InputError, UsageError, raise_all
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.summary import Summary, summarize
from strokediff.evaluation.tables import format_csv, format_json, is_metrics
from strokediff.evaluation.unit import Unit
from strokediff.prediction.pairing import Pair, listed, pair_cases
from strokediff.util.files import write_text


@dataclass(frozen=True)
class Evaluation:
    """A row a patient, the summary over them, and what to know of either.

    >>> found = evaluate_folders("masks", "scans/labels")
    >>> [(row.case, round(row.dice, 1)) for row in found.rows]
    [('p1', 0.9), ('p2', 0.9), ('p3', 0.9), ('p4', 0.9)]
    >>> found.summary.counts["pred_empty"], found.warnings
    (0, [])
    """

    rows: list[CaseMetrics]
    summary: Summary
    warnings: list[str]

    def write(self, table: str | Path) -> tuple[Path, Path]:
        """Write the rows to `table` (.csv) and the summary beside it (.json); returns both.

        Raises `UsageError` as `check_table` does, or if they cannot be written.

        >>> written = evaluate_folders("masks", "scans/labels").write("metrics.csv")
        >>> [path.name for path in written]
        ['metrics.csv', 'metrics.json']
        """
        csv, json = check_table(table)
        write_text(csv, format_csv(self.rows))
        write_text(json, format_json(self.summary))
        return csv, json


def evaluate_folders(
    pred: str | Path,
    truth: str | Path,
    probabilities: str | Path | None = None,
    *,
    unit: str = "auto",
    each: Callable[[list[Pair]], Iterable[Pair]] = lambda pairs: pairs,
) -> Evaluation:
    """Score predicted lesion masks against true ones, per patient in 3D.

    Masks are NAME.nii.gz, or NAME/lesion_mask.nii.gz as `segment` writes them; every true one
    needs a prediction on the same grid. `probabilities` are for the AUC, found without this where
    `segment` wrote them for all. `unit` is mm, px for images without spacing, or auto: px where a
    cohort.json beside the true masks says so. `each` may show how far it is. Raises `InputError`
    that names every unsuitable file, `UsageError` for an unknown unit.

    >>> found = evaluate_folders("masks", "scans/labels")
    >>> round(found.summary.mean["dice"], 1), round(found.summary.mean["volume_true_ml"], -1)
    (0.9, 30.0)
    """
    prob = None if probabilities is None else Path(probabilities)
    pairs, extra = pair_cases(Path(pred), Path(truth), prob)
    chosen, warnings = _unit(unit, Path(truth))
    if extra:
        left_out = f"{len(extra)} predictions have no true mask and are left out: {listed(extra)}"
        warnings = [left_out, *warnings]
    rows, problems = [], []
    for pair in each(pairs):
        try:
            rows.append(_row(pair, chosen))
        except InputError as error:
            problems.append(error)
    raise_all(problems)
    return Evaluation(rows, summarize(rows), warnings)


def check_table(table: str | Path) -> tuple[Path, Path]:
    """The table and the summary beside it; `UsageError` if they would replace something else."""
    csv = Path(table)
    if csv.suffix != ".csv":
        raise UsageError(f"{csv}: expected an output that ends in .csv, such as metrics.csv.")
    json = csv.with_suffix(".json")
    if json.is_file() and not is_metrics(json.read_bytes()):
        raise UsageError(
            f"{json}: exists and is no summary of 'strokediff evaluate', which would replace it. "
            "Choose another name for the output."
        )
    return csv, json


def _unit(name: str, truth: Path) -> tuple[Unit, list[str]]:
    """The unit that was asked for, or that the truth's cohort.json calls for."""
    known = spacing_known_beside(truth)
    if name == "auto":
        return Unit.MM if known else Unit.PX, []
    if name not in (u.value for u in Unit):
        raise UsageError(f"--unit: expected auto, mm or px, got {name!r}.")
    nominal = name == "mm" and not known
    return Unit(name), ["spacing is unknown, so mm and mL are nominal."] if nominal else []


def _row(pair: Pair, unit: Unit) -> CaseMetrics:
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
