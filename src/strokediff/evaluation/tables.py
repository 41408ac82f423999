"""The rows and their summary as files: `metrics.csv`, and `metrics.json` beside it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from strokediff.evaluation.metrics import METRICS, CaseMetrics
from strokediff.evaluation.summary import Summary
from strokediff.files import write_atomically

COLUMNS = ("case", *METRICS)


def write_metrics(path: Path, cases: Sequence[CaseMetrics], summary: Summary) -> Path:
    """Write `path` (CSV, one row per patient) and its JSON summary; return the latter's path.

    A value that does not exist is an empty field in the CSV and null in the JSON.
    """
    path_json = path.with_suffix(".json")
    write_atomically(path, format_csv(cases))
    write_atomically(path_json, json.dumps(summary.to_dict(), indent=2, allow_nan=False) + "\n")
    return path_json


def format_csv(cases: Sequence[CaseMetrics]) -> str:
    """The table as CSV with a header, in the order of `COLUMNS`, numbers to 10 digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in cases:
        writer.writerow([row.case, *(_cell(getattr(row, name)) for name in METRICS)])
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else format(value, ".10g")
