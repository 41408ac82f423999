"""Intervals from volumes that were measured elsewhere: a table of patients, one row a kind."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from strokediff.errors import InputError
from strokediff.segmentation.binned import BinnedCalibration, binned_conformal
from strokediff.segmentation.intervals import Measured
from strokediff.util.kinds import LESION

COLUMNS = ("volume_pred_ml", "doubt_ml", "volume_true_ml")
"""Found volume, entropy over the brain (doubt_ml of result.json, bit mL) and true volume."""
MOST_BYTES = 32 * 2**20


def intervals_from(
    table: str | Path,
    kinds: Sequence[str] | None = None,
    *,
    level: float = 0.9,
    population: str = "patients",
) -> dict[str, BinnedCalibration]:
    """The interval of every kind of lesion in a CSV table, and of all joined where it has those.

    Columns `patient`, `kind` ("lesion" is all joined, and what is meant without that column),
    `volume_pred_ml`, `doubt_ml`, `volume_true_ml`; others are ignored. The patients must be others
    than those that the model was trained on, or that of each fold was. Raises `InputError` for
    what is no such table, or names other `kinds` than those.

    >>> from pathlib import Path
    >>> from strokediff.segmentation.intervals import Measured
    >>> rows = [f"p{n},{n},0.5,{n + 1}" for n in range(20)]
    >>> lines = ["patient,volume_pred_ml,doubt_ml,volume_true_ml", *rows]
    >>> _ = Path("volumes.csv").write_text("\\n".join(lines))
    >>> intervals_from("volumes.csv")["lesion"].interval_ml(Measured(50.0, 0.5))
    (49.0, 51.0)
    """
    return {
        kind: binned_conformal([f for f, _ in own], [t for _, t in own], level, population)
        for kind, own in read_volumes(table, kinds).items()
    }


def read_volumes(
    table: str | Path, kinds: Sequence[str] | None = None
) -> dict[str, list[tuple[Measured, float]]]:
    """Found and true volumes by kind of lesion; raises as `intervals_from`."""
    found: dict[str, list[tuple[Measured, float]]] = {}
    seen = set()
    for number, row in enumerate(_rows(Path(table)), start=2):
        place = f"{table}: line {number}"
        kind, patient = row.get("kind") or LESION, row.get("patient") or str(number)
        if kinds is not None and kind not in (*kinds, LESION):
            told = ", ".join(dict.fromkeys((*kinds, LESION)))
            raise InputError(f"{place}: kind {kind[:50]!r}, expected one of: {told}.")
        if (patient, kind) in seen:
            raise InputError(
                f"{place}: patient {patient[:50]!r} is there twice. Intervals need one row a "
                "patient and kind: keep one scan of each."
            )
        seen.add((patient, kind))
        volume, doubt, truth = (_number(place, row, column) for column in COLUMNS)
        found.setdefault(kind, []).append((Measured(volume, doubt), truth))
    if not found:
        raise InputError(f"{table}: no rows. Expected one a patient and kind of lesion.")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    remedy = f"Expected a CSV table with the columns {', '.join(COLUMNS)} (mL)."
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: no file of at most {MOST_BYTES >> 20} MiB. {remedy}")
        text = path.read_text("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}). {remedy}") from None
    missing = [column for column in COLUMNS if rows and column not in rows[0]]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}. {remedy}")
    return rows


def _number(place: str, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1e6:
        raise InputError(f"{place}: {column} is {str(row[column])[:50]!r}, expected mL, 0 or more.")
    return value
