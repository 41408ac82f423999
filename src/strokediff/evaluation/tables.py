"""The rows and their summary as text, for `metrics.csv` and the `metrics.json` beside it.

A value that does not exist is an empty field in the CSV and null in the JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from strokediff.evaluation.metrics import METRICS, CaseMetrics
from strokediff.evaluation.summary import Summary, unit_of
from strokediff.util.plaintext import csv_cell

COLUMNS = ("case", *METRICS)


def format_csv(cases: Sequence[CaseMetrics]) -> str:
    """The table as CSV with a header, in the order of `COLUMNS`, numbers to 10 digits.

    Columns are named by the rows' unit; a name that a spreadsheet would compute is escaped.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([unit_of(cases).column(name) for name in COLUMNS])
    for row in cases:
        writer.writerow([csv_cell(row.case), *(_cell(getattr(row, name)) for name in METRICS)])
    return text.getvalue()


def format_json(summary: Summary) -> str:
    """The summary as JSON, with the counts at the top level and the policy in words."""
    return json.dumps(summary.to_dict(), indent=2, allow_nan=False) + "\n"


def is_metrics(content: bytes) -> bool:
    """Whether `format_json` wrote this."""
    try:
        found = json.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and {"policy", "mean", "sd", "median"} <= found.keys()


def _cell(value: float | None) -> str:
    return "" if value is None else format(value, ".10g")
