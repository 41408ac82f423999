"""What every decision on a kind of lesion would give: Dice with one, and marks without.

    python benchmarks/decisions.py ANSWERS [ANSWERS ...] --kind infarct [--estimation fast/sal]
                                   [--spare 0.85]

ANSWERS are sheets that `strokediff calibrate --answers` wrote, of any folds and folders together.
Each row is a threshold of y_0 and a least volume: the mean Dice of scans with a lesion of the kind,
and of those without one how many have less than 1 mL marked, and how much in the mean. The last
line is what `strokediff calibrate --spare` takes. Nothing is cross-fitted here: the scans that
choose are those that measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from strokediff.benchmark.tables import ruled
from strokediff.errors import UsageError
from strokediff.segmentation.calibrate.answers import OfKind, Sheet
from strokediff.segmentation.calibrate.decisions import LEAST_ML, NOTHING_ML, THRESHOLDS, choose
from strokediff.segmentation.calibrate.rules import Sparing

COLUMNS = ("y_0 from", "least, mL", "Dice with a lesion", "below 1 mL without", "mL without")


@dataclass(frozen=True)
class Outcome:
    """Of one decision."""

    threshold: float
    least_ml: float
    dice: float
    spared: float
    marked_ml: float

    @property
    def cells(self) -> list[str]:
        """A row of the table."""
        figures = (f"{self.dice:.2f}", f"{self.spared:.2f}", f"{self.marked_ml:.2f}")
        return [f"{self.threshold:g}", f"{self.least_ml:g}", *figures]


def outcome(scans: list[OfKind], i: int, j: int) -> Outcome:
    """Of the decision at that place of `THRESHOLDS` and `LEAST_ML`."""
    dice = [own.dice[i][j] for own in scans if own.true_ml > 0]
    marked = np.array([own.volume_ml[i][j] for own in scans if own.true_ml == 0])
    spared = float(np.mean(marked < NOTHING_ML))
    return Outcome(THRESHOLDS[i], LEAST_ML[j], float(np.mean(dice)), spared, float(marked.mean()))


def main(
    sources: Annotated[list[Path], typer.Argument(metavar="ANSWERS")],
    kind: str = "infarct",
    estimation: str = "fast/sal",
    spare: Annotated[float, typer.Option(help="As in calibrate.")] = 0.85,
) -> None:
    sheet = Sheet.read(sources)
    if kind not in sheet.kinds or estimation not in sheet.methods:
        known = f"{', '.join(sheet.kinds)}; {', '.join(sheet.methods)}"
        raise UsageError(f"no answers on '{kind}' by '{estimation}'; there are: {known}.")
    scans = [one.methods[estimation].kinds[kind] for one in sheet.answers]
    with_one = sum(own.true_ml > 0 for own in scans)
    if not 0 < with_one < len(scans):
        raise UsageError(
            f"expected scans with and without '{kind}', got {with_one} of {len(scans)}."
        )
    every = [outcome(scans, i, j) for i in range(len(THRESHOLDS)) for j in range(len(LEAST_ML))]
    print(f"{with_one} scans with a lesion, {len(scans) - with_one} without\n")
    print("\n".join(ruled(COLUMNS, [own.cells for own in every])))
    best = choose([own.scores for own in scans], [""] * len(scans), Sparing(spare))
    told = f"y_0 >= {best.decision.threshold:g}, {best.decision.least_lesion_ml:g} mL and more"
    print(f"\nMost Dice of those that spare {spare:.0%}: {told} (spares {best.spared:.0%})")


if __name__ == "__main__":
    typer.run(main)
