"""`evaluate_folders`: predicted masks in a folder against true ones in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strokediff.cohort.masks import Labels
from strokediff.cohort.sources import spacing_known_beside
from strokediff.ct.nifti.masks import check_same_grid, read_region
from strokediff.errors import InputError, UsageError, raise_all
from strokediff.evaluation.kinds import (
    KindConfusion,
    KindMetrics,
    confusion_of,
    evaluate_case_of_kinds,
)
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.summary import Summary, summarize
from strokediff.evaluation.tables import format_csv, format_csv_of_kinds, format_json, is_metrics
from strokediff.evaluation.unit import Unit
from strokediff.prediction.labels import KindsReader, several
from strokediff.prediction.pairing import Pair, listed, pair_cases
from strokediff.util.files import write_text


@dataclass(frozen=True)
class Evaluation:
    """A row a patient, the summary over them, and what to know of either.

    Of several kinds of lesion both are of all joined, and `cases` has each kind, a patient;
    otherwise there are none. `summary.within` says whether both AUC are over a region.

    >>> found = evaluate_folders("masks", "scans/labels")
    >>> [(row.case, round(row.dice, 1)) for row in found.rows]
    [('p1', 0.9), ('p2', 0.9), ('p3', 0.9), ('p4', 0.9)]
    >>> found.summary.counts["pred_empty"], found.warnings
    (0, [])
    """

    rows: list[CaseMetrics]
    summary: Summary
    warnings: list[str]
    cases: Sequence[KindMetrics] = ()

    @classmethod
    def of(
        cls,
        found: Sequence[CaseMetrics | KindMetrics],
        warnings: list[str],
        within: bool = False,
    ) -> Evaluation:
        """Of all patients' metrics, by kind or not."""
        cases = [case for case in found if isinstance(case, KindMetrics)]
        rows = [case.joined if isinstance(case, KindMetrics) else case for case in found]
        return cls(rows, summarize(rows, within), warnings, cases)

    @property
    def kinds(self) -> dict[str, Summary]:
        """The summary of each kind of lesion, where they are told apart."""
        names = list(self.cases[0].kinds) if self.cases else []
        within = self.summary.within
        return {kind: summarize([c.kinds[kind] for c in self.cases], within) for kind in names}

    @property
    def confusion(self) -> KindConfusion | None:
        """Which kind was taken for which, over all patients; None where none are told apart."""
        return confusion_of(self.cases) if self.cases else None

    def write(self, table: str | Path) -> tuple[Path, Path]:
        """Write the rows to `table` (.csv) and the summary beside it (.json); returns both.

        Raises `UsageError` as `check_table` does, or if they cannot be written.

        >>> written = evaluate_folders("masks", "scans/labels").write("metrics.csv")
        >>> [path.name for path in written]
        ['metrics.csv', 'metrics.json']
        """
        csv, json = check_table(table)
        table_of = format_csv_of_kinds(self.cases) if self.cases else format_csv(self.rows)
        write_text(csv, table_of)
        write_text(json, format_json(self.summary, self.kinds, self.confusion))
        return csv, json


def evaluate_folders(
    pred: str | Path,
    truth: str | Path,
    probabilities: str | Path | None = None,
    *,
    within: str | Path | None = None,
    labels: Labels | None = None,
    unit: str = "auto",
    each: Callable[[list[Pair]], Iterable[Pair]] = lambda pairs: pairs,
) -> Evaluation:
    """Score predicted lesion masks against true ones, per patient in 3D.

    Masks are NAME.nii.gz, or NAME/lesion_mask.nii.gz as `segment` writes them; every true one
    needs a prediction on the same grid. `probabilities` are for their AUC, found without this where
    `segment` wrote them for all. `within` is a folder of NAME.nii.gz, masks of the brain or head or
    the scans in HU: both AUC are taken there, in scans where there is no air, and where lesions
    are, true or found. Kinds of lesion are told apart where truth and predictions declare
    the values of their masks: `segment` and `predict` do so for theirs, a cohort.json with "labels"
    for other folders, and else `labels`, such as {"infarct": (1,), "haemorrhage": (2,)}. Values
    that are not declared are refused. `unit` is mm, px for images without spacing, or auto: px
    where a cohort.json beside the true masks says so. `each` may show how far it is. Raises
    `InputError` that names every unsuitable file, `UsageError` for an unknown unit.

    >>> found = evaluate_folders("masks", "scans/labels")
    >>> round(found.summary.mean["dice"], 1), round(found.summary.mean["volume_true_ml"], -1)
    (0.9, 30.0)
    """
    prob = None if probabilities is None else Path(probabilities)
    pairs, extra = pair_cases(
        Path(pred), Path(truth), prob, None if within is None else Path(within)
    )
    chosen, warnings = chosen_unit(unit, Path(truth))
    if extra:
        left_out = f"{len(extra)} predictions have no true mask and are left out: {listed(extra)}"
        warnings = [left_out, *warnings]
    reader = KindsReader.of(Path(truth), [pair.pred for pair in pairs], labels)
    found: list[CaseMetrics | KindMetrics] = []
    problems = []
    for pair in each(pairs):
        try:
            found.append(_row(pair, reader, chosen))
        except InputError as error:
            problems.append(error)
    raise_all(problems)
    return Evaluation.of(found, warnings, within is not None)


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


def chosen_unit(name: str, *folders: Path) -> tuple[Unit, list[str]]:
    """The unit that was asked for, or that the masks' cohort.json calls for; and a warning."""
    known = all(map(spacing_known_beside, folders))
    if name == "auto":
        return Unit.MM if known else Unit.PX, []
    if name not in (u.value for u in Unit):
        raise UsageError(f"--unit: expected auto, mm or px, got {name!r}.")
    nominal = name == "mm" and not known
    return Unit(name), ["spacing is unknown, so mm and mL are nominal."] if nominal else []


def _row(pair: Pair, reader: KindsReader, unit: Unit) -> CaseMetrics | KindMetrics:
    """The patient's metrics; by kind where several are told apart."""
    (true_file, true), (pred_file, pred) = reader.truth(pair.true), reader.prediction(pair.pred)
    check_same_grid(pred_file, true_file)
    affine, prob, within = true_file.affine, None, None
    if pair.within is not None:
        region = read_region(pair.within)
        check_same_grid(region, true_file)
        within = region.array
    if pair.prob is not None:
        prob_file, prob = reader.probabilities(pair.prob, pair.pred)
        check_same_grid(prob_file, true_file)
    if several(reader.kinds):
        return evaluate_case_of_kinds(
            *(pair.case, reader.kinds, pred, true),
            affine=affine,
            prob=prob,
            within=within,
            unit=unit,
        )
    return evaluate_case(
        pair.case,
        mask_pred=pred[0],
        mask_true=true[0],
        affine=affine,
        prob=None if prob is None else prob[0],
        within=within,
        unit=unit,
    )
