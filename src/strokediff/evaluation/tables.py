"""The rows and their summary as text, for `metrics.csv` and the `metrics.json` beside it.

A value that does not exist is an empty field in the CSV and null in the JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from strokediff.evaluation.kinds import KindConfusion, KindMetrics
from strokediff.evaluation.metrics import METRICS, CaseMetrics
from strokediff.evaluation.summary import Summary, unit_of
from strokediff.util.kinds import LESION
from strokediff.util.plaintext import csv_cell

COLUMNS = ("case", *METRICS)
KINDS_POLICY = (
    f"Figures at the top level and lines of kind '{LESION}' are of lesions of any kind. confusion: "
    "of what was found and touches a true lesion, how much is truly of which kind (a row a found "
    "kind, a column a true one); a lesion is of the kind in which most of it lies."
)


def format_csv(cases: Sequence[CaseMetrics]) -> str:
    """The table as CSV with a header, in the order of `COLUMNS`, numbers to 10 digits.

    Columns are named by the rows' unit; a name that a spreadsheet would compute is escaped.
    """
    unit = unit_of(cases)
    header = [unit.column(name) for name in COLUMNS]
    return _written(header, ([csv_cell(row.case), *_figures(row)] for row in cases))


def format_csv_of_kinds(cases: Sequence[KindMetrics]) -> str:
    """The same with a column `kind`: a line of all kinds joined, then one of each, a patient."""
    unit = unit_of([case.joined for case in cases])
    header = ["case", "kind", *(unit.column(name) for name in METRICS)]
    lines = (
        [csv_cell(case.case), kind, *_figures(row)]
        for case in cases
        for kind, row in case.parts().items()
    )
    return _written(header, lines)


def format_json(
    summary: Summary,
    kinds: Mapping[str, Summary] | None = None,
    confusion: KindConfusion | None = None,
) -> str:
    """The summary as JSON, with the counts at the top level and the policy in words.

    Of several kinds of lesion it is of all joined, with those of `kinds` and the `confusion`.
    """
    content = summary.to_dict()
    if kinds:
        content["kinds"] = {kind: _without_policy(own) for kind, own in kinds.items()}
        content["policy"] = [*content["policy"], KINDS_POLICY]
    if confusion is not None:
        content["confusion"] = confusion.to_dict()
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _without_policy(summary: Summary) -> dict[str, object]:
    return {k: v for k, v in summary.to_dict().items() if k not in ("policy", "version", "unit")}


def _written(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def _figures(row: CaseMetrics) -> list[str]:
    return [_cell(getattr(row, name)) for name in METRICS]


def is_metrics(content: bytes) -> bool:
    """Whether `format_json` wrote this."""
    try:
        found = json.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and {"policy", "mean", "sd", "median"} <= found.keys()


def _cell(value: float | None) -> str:
    return "" if value is None else format(value, ".10g")
