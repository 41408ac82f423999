"""`summary.csv`: one line per patient, those that failed among them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strokediff.util.files import write_text
from strokediff.util.plaintext import csv_cell

COLUMNS = (
    "case",
    "volume_ml",
    "volume_low_ml",
    "volume_high_ml",
    "n_lesions",
    "brain_volume_ml",
    "truncated",
    "warnings",
    "status",
    "error",
    "trust",
)
OF_KIND = ("volume_ml", "volume_low_ml", "volume_high_ml", "n_lesions")
"""Figures of each kind of lesion, in columns that begin with its name."""


def write_summary_csv(
    path: Path, results: Sequence[Mapping[str, Any]], kinds: Sequence[str] = ()
) -> None:
    """Write one line per result, in the order given, with the columns `COLUMNS`.

    A result has `case` and the keys of `result.json`; one that failed has `case` and `error`.
    `warnings` is their number, `trust` ok or the checks that say otherwise; a value that is not
    there is an empty field. Of several `kinds` of lesion each has columns of its own. Raises
    `UsageError` if `path` cannot be written.
    """
    own = [f"{kind}_{what}" for kind in kinds for what in OF_KIND] if len(kinds) > 1 else []
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *own], lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(summary_row(result) | _by_kind(result) for result in results)
    write_text(path, text.getvalue())


def summary_row(result: Mapping[str, Any]) -> dict[str, str]:
    """The fields of one patient, as text; text that a spreadsheet would compute is escaped."""
    error = result.get("error")
    interval = result.get("volume_interval_ml") or (None, None)
    values = {
        "case": result.get("case", ""),
        "volume_ml": result.get("volume_ml"),
        "volume_low_ml": interval[0],
        "volume_high_ml": interval[1],
        "n_lesions": result.get("n_lesions"),
        "brain_volume_ml": result.get("brain_volume_ml"),
        "truncated": result.get("truncated"),
        "warnings": None if error else len(result.get("warnings") or ()),
        "status": result.get("status") or ("failed" if error else "ok"),
        "error": " ".join(str(error).split()) if error else None,
        "trust": None if error else _trust(result.get("trust")),
    }
    return {name: _cell(value) for name, value in values.items()}


def _trust(trust: Mapping[str, Any] | None) -> str | None:
    """ok, or what speaks against it; nothing where nobody looked."""
    if trust is None:
        return None
    return "ok" if trust["ok"] else ", ".join(dict.fromkeys(r["check"] for r in trust["reasons"]))


def _by_kind(result: Mapping[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for own in result.get("kinds") or ():
        low, high = own["volume_interval_ml"] or (None, None)
        values = (own["volume_ml"], low, high, own["n_lesions"])
        names = (f"{own['name']}_{what}" for what in OF_KIND)
        cells |= {name: _cell(value) for name, value in zip(names, values, strict=True)}
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    return csv_cell(str(value))
