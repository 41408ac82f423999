"""Which lesions does a method find? The Dice of every row by the size of the lesion."""

from __future__ import annotations

import numpy as np

from strokediff.benchmark.results import values_of_scans
from strokediff.benchmark.scores import RowScores
from strokediff.benchmark.tables import ruled
from strokediff.evaluation.unit import Unit


def by_size(scores: RowScores) -> list[str]:
    """Scans with a lesion in thirds of its true volume, and mean Dice in each.

    Of those with a lesion how many have nothing marked, of those without how many have something.
    """
    first = next(iter(scores.values()))
    true = values_of_scans(first, "volume_true_ml")
    there = np.flatnonzero(true > 0)
    thirds = np.array_split(there[np.argsort(true[there], kind="stable")], 3)
    ends = ", ".join(f"{true[third[-1]]:.1f}" for third in thirds if len(third))
    cells = []
    for row, seeds in scores.items():
        dice, empty = (values_of_scans(seeds, name) for name in ("dice", "pred_empty"))
        means = [f"{dice[third].mean():.3f}" if len(third) else "-" for third in thirds]
        missed = f"{empty[there].sum():g} of {len(there)}"
        invented = f"{(1.0 - empty[true == 0]).sum():g} of {len(true) - len(there)}"
        cells.append([row, *means, missed, invented])
    columns = ("row", "Dice, small", "middle", "large", "missed", "marked without a lesion")
    unit = "mL" if first[0].patients[0].metrics.unit is Unit.MM else "voxels"
    return [f"thirds: up to {ends} {unit}", "", *ruled(columns, cells)]
