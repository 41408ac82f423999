"""How often do two trainings of one method differ by the test that tells methods apart?"""

from __future__ import annotations

from collections.abc import Mapping

from strokediff.benchmark.results import TESTED
from strokediff.benchmark.scores import RowScore, RowScores
from strokediff.benchmark.tables import ruled
from strokediff.errors import UsageError
from strokediff.evaluation.significance import against


def between_seeds(suites: Mapping[str, RowScores]) -> list[str]:
    """The first two seeds of every row that has them, set against each other.

    Difference of means, and p of Wilcoxon's signed-rank test over scans. The last table counts
    p < 0.05: were seeds of no account, it would be one in twenty.
    """
    found: dict[str, list[float]] = {metric: [] for metric in TESTED}
    cells = []
    for suite, scores in suites.items():
        for row, seeds in scores.items():
            for metric in TESTED if len(seeds) > 1 else ():
                first, second = (_values(own, metric) for own in seeds[:2])
                own = against({row: (second, first)})[row]
                found[metric].append(own.p)
                cells.append([suite, row, metric, f"{own.mean:+.3f}", f"{own.p:.2g}"])
    if not cells:
        raise UsageError("no row with two seeds. Name other scores.")
    every = {**found, "all": [p for own in found.values() for p in own]}
    counts = [[name, str(len(p)), str(sum(q < 0.05 for q in p))] for name, p in every.items()]
    lines = ruled(("suite", "row", "metric", "second - first", "p"), cells)
    return [*lines, "", *ruled(("metric", "rows", "p < 0.05"), counts)]


def _values(own: RowScore, metric: str) -> list[float | None]:
    return [getattr(scan.metrics, metric) for scan in own.patients]
