"""How wide the intervals of volumes are, and what they hold: every form, on the same patients.

    python benchmarks/intervals.py TABLE.csv [--kind haemorrhage] [--folds 5] [--level 0.9]

TABLE.csv has a row a patient with the columns that `strokediff calibrate --from-table` takes, of
volumes that were found by a model that had not seen the patient. Each fold's patients get the
interval that the other folds give. Printed are the share of true volumes in it, over all and by how
much was found, and the median width, mL, and above 10 mL as a share of the found volume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from strokediff.benchmark.tables import ruled
from strokediff.errors import UsageError
from strokediff.segmentation.binned import binned_conformal
from strokediff.segmentation.calibrate.table import read_volumes
from strokediff.segmentation.chosen import Interval
from strokediff.segmentation.intervals import FORMS, Measured, conformal
from strokediff.util.kinds import LESION

LARGE_ML = 10.0
Pairs = Sequence[tuple[Measured, float]]
COLUMNS = ("form", "holds", "nothing found", "up to 10 mL", "above", "width: nothing found, mL",
           "up to 10 mL, mL", "above, of the volume")  # fmt: skip


def main(
    table: Path,
    kind: Annotated[str, typer.Option(help="Of lesion.")] = LESION,
    folds: Annotated[int, typer.Option(min=2)] = 5,
    level: Annotated[float, typer.Option(min=0.5, max=0.99)] = 0.9,
) -> None:
    volumes = read_volumes(table)
    if kind not in volumes:
        raise UsageError(f"{table}: no rows of {kind!r}; there are: {', '.join(volumes)}.")
    pairs = volumes[kind]
    makers: Mapping[str, Callable[[Pairs], Interval]] = {
        **{form: _plain(form, level) for form in FORMS},
        "binned": lambda own: binned_conformal(*_apart(own), level),
    }
    rows = [[name, *figures(crossed(pairs, make, folds))] for name, make in makers.items()]
    print(f"{len(pairs)} patients, {folds} folds, {level:.0%}")
    print("\n".join(ruled(COLUMNS, rows)))


def crossed(
    pairs: Pairs, make: Callable[[Pairs], Interval], folds: int
) -> list[tuple[Measured, float, tuple[float, float]]]:
    """Found and true volume with the interval that other folds give."""
    out = []
    for k in range(folds):
        given = make([pair for n, pair in enumerate(pairs) if n % folds != k])
        out += [(f, t, given.interval_ml(f)) for f, t in pairs[k::folds]]
    return out


def figures(rows: Sequence[tuple[Measured, float, tuple[float, float]]]) -> list[str]:
    v, t = (np.array(own) for own in ([f.volume_ml for f, _, _ in rows], [t for _, t, _ in rows]))
    low, high = np.array([own for _, _, own in rows]).T
    held, width = (low <= t + 1e-9) & (t <= high + 1e-9), high - low
    parts = [v >= 0, v == 0, (v > 0) & (v <= LARGE_ML), v > LARGE_ML]
    shares = [f"{held[own].mean():.0%}" if own.any() else "-" for own in parts]
    widths = [
        f"{np.median(values[own]):{form}}" if own.any() else "-"
        for own, values, form in (
            (parts[1], width, ".1f"),
            (parts[2], width, ".1f"),
            (parts[3], width / np.maximum(v, 1e-9), ".0%"),
        )
    ]
    return [*shares, *widths]


def _plain(form: str, level: float) -> Callable[[Pairs], Interval]:
    return lambda pairs: conformal(*_apart(pairs), level, form=form)


def _apart(pairs: Pairs) -> tuple[list[Measured], list[float]]:
    return [f for f, _ in pairs], [t for _, t in pairs]


if __name__ == "__main__":
    typer.run(main)
