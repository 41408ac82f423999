"""Cross-validated figures on the scans' own grids, from the answers of every fold's model.

Each fold's patients are judged by what all others chose: the decision of each kind of lesion, and
the interval of its volume (`tune`). So no patient chose anything that he is judged by.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from strokediff.errors import InputError
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.evaluation.summary import volume_correlation
from strokediff.segmentation.calibrate.answers import Answer, Sheet
from strokediff.segmentation.calibrate.decisions import NOTHING_ML, place_of
from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Rule
from strokediff.segmentation.calibrate.tune import TunedMethod, tune
from strokediff.segmentation.intervals import Measured

LARGE_ML = 10.0


@dataclass(frozen=True)
class Judged:
    """One kind of lesion of one scan, at the decision and in the interval that others chose."""

    scan: str
    group: str
    kind: str
    true_ml: float
    found_ml: float
    dice: float
    low_ml: float
    high_ml: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the true volume."""
        return self.low_ml <= self.true_ml <= self.high_ml


def judged(folds: Sequence[Sheet], key: str, rule: Rule = NEARLY_BEST_DICE) -> list[Judged]:
    """Every scan of all folds for the estimation `key` ("fast/avg"), a row a kind.

    The decisions are the `rule`'s.

    Raises `InputError` for fewer than two folds, or an estimation that they do not have.
    """
    if len(folds) < 2:
        raise InputError(f"{len(folds)} sheet of answers: expected those of two folds or more.")
    if key not in folds[0].methods:
        raise InputError(f"no answers of '{key}'; there are: {', '.join(folds[0].methods)}.")
    rows = []
    for k, fold in enumerate(folds):
        others = [a for j, other in enumerate(folds) if j != k for a in other.answers]
        chosen = tune(Sheet(kinds=fold.kinds, answers=tuple(others)), "other folds", rule=rule)[key]
        rows += [row for one in fold.answers for row in _judged(one, key, chosen)]
    return rows


def _judged(one: Answer, key: str, chosen: TunedMethod) -> list[Judged]:
    rows = []
    for kind, own in one.methods[key].kinds.items():
        i, j = place_of(chosen.kinds[kind].after.decision)
        found = Measured(own.volume_ml[i][j], own.doubt_ml)
        low, high = chosen.calibrations[kind].interval_ml(found)
        dice = own.dice[i][j]
        rows.append(
            Judged(one.scan, one.group, kind, own.true_ml, found.volume_ml, dice, low, high)
        )
    return rows


def of_group(rows: Sequence[Judged], group: str) -> list[Judged]:
    """The rows of one folder of scans; `InputError` if there are none."""
    found = [row for row in rows if row.group == group]
    if not found:
        known = ", ".join(sorted({row.group for row in rows}))
        raise InputError(f"no answers on scans of '{group}'; there are: {known}.")
    return found


def as_csv(rows: Sequence[Judged]) -> str:
    """A line a scan and kind."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([field.name for field in fields(Judged)])
    table.writerows([[v if isinstance(v, str) else f"{v:.3f}" for v in astuple(r)] for r in rows])
    return out.getvalue()


def summary(rows: Sequence[Judged]) -> list[str]:
    """A Markdown table, a column a kind that anybody has: means over scans, 95 % bootstrap."""
    kinds = [k for k in dict.fromkeys(r.kind for r in rows) if any(r.true_ml for r in rows)]
    of = {kind: [r for r in rows if r.kind == kind] for kind in kinds}
    lines = [f"| | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 1) + "|"]
    for name, figure in _FIGURES.items():
        lines.append(f"| {name} | {' | '.join(figure(own) for own in of.values())} |")
    return lines


def _mean(rows: Sequence[Judged], value: Callable[[Judged], float]) -> str:
    if not rows:
        return "none"
    values = np.array([value(row) for row in rows], dtype=float)
    found = bootstrap(lambda index: float(values[index].mean()), len(values))
    between = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{values.mean():.2f}{between} (n = {len(values)})"


def _correlation(rows: Sequence[Judged]) -> str:
    vc, why = volume_correlation([r.found_ml for r in rows], [r.true_ml for r in rows])
    return f"{vc:.2f}" if vc is not None else str(why)


def _width(rows: Sequence[Judged]) -> str:
    """The median width as a share of the true volume."""
    shares = [(r.high_ml - r.low_ml) / r.true_ml for r in rows]
    return f"{np.median(shares):.0%} (n = {len(shares)})" if shares else "none"


def _with(rows: Sequence[Judged]) -> list[Judged]:
    return [row for row in rows if row.true_ml > 0]


def _large(rows: Sequence[Judged]) -> list[Judged]:
    return [row for row in rows if row.true_ml > LARGE_ML]


def _without(rows: Sequence[Judged]) -> list[Judged]:
    return [row for row in rows if row.true_ml == 0]


_FIGURES: dict[str, Callable[[Sequence[Judged]], str]] = {
    "Dice where there is a lesion": lambda rows: _mean(_with(rows), lambda r: r.dice),
    f"Dice above {LARGE_ML:g} mL": lambda rows: _mean(_large(rows), lambda r: r.dice),
    "found at all": lambda rows: _mean(_with(rows), lambda r: float(r.dice > 0)),
    "volume correlation": _correlation,
    f"without a lesion: below {NOTHING_ML:g} mL": lambda rows: _mean(
        _without(rows), lambda r: float(r.found_ml < NOTHING_ML)
    ),
    "without a lesion: mL marked": lambda rows: _mean(_without(rows), lambda r: r.found_ml),
    "interval holds the truth": lambda rows: _mean(rows, lambda r: float(r.covered)),
    f"interval's median width above {LARGE_ML:g} mL": lambda rows: _width(_large(rows)),
}
