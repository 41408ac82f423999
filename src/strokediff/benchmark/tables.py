"""The rows as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from strokediff.benchmark.results import LOWER_IS_BETTER, TESTED, TableRow, reference
from strokediff.evaluation.bootstrap import Interval
from strokediff.evaluation.unit import Unit
from strokediff.util.kinds import LESION
from strokediff.util.plaintext import csv_cell

OVERLAP = {"dice": "Dice", "recall": "Recall", "precision": "Pre.", "iou": "IoU"}
AREAS = {
    "auc_mask_brain": "of the mask, brain",
    "auc_brain": "of probabilities, brain",
    "auc_mask": "of the mask, image",
    "auc": "of probabilities, image",
}
SHAPE = {
    "hd_mm": "HD",
    "hd95_mm": "HD95",
    "vc": "VC",
    "vc_ranks": "VC of ranks",
    "vdp": "VDP",
    "vdp_median": "median VDP",
}
MORE = {
    "sensitivity": "lesions found",
    "false_positives": "false lesions a patient",
    "brier": "Brier",
    "ece": "ECE",
}
BETTER, WORSE = "⁺", "⁻"
DIGITS = {"hd_mm": 1, "hd95_mm": 1, "false_positives": 2, "brier": 4, "ece": 4}


PARTS: dict[str, Mapping[str, str]] = {
    "Overlap (Table 1 of the papers)": OVERLAP,
    "AUC (in Table 1 that of the mask, by its figures)": AREAS,
    "Shape and volume (Table 2)": SHAPE,
    "Lesion by lesion, and calibration of the probabilities": MORE,
}
RIGHT = {"lesions_right": "kind right, lesions", "voxels_right": "kind right, voxels"}
Kinds = Mapping[str, Sequence[TableRow]]
"""The rows of each kind of lesion, by its name."""


def markdown(rows: Sequence[TableRow], about: Mapping[str, Any], kinds: Kinds | None = None) -> str:
    """Five tables: the papers' Table 1 and 2, AUC, lesions and calibration, and costs.

    With `kinds` the `rows` are of all joined; it is told which was taken for which, and the first
    four tables are there of each kind too.
    """
    lines = [_about(about), ""]
    lines += ["Lesions of any kind:", ""] if kinds else []
    lines += _parts(rows)
    lines += ["**Which kind**", "", *_which_kind(rows), ""] if kinds else []
    lines += ["**Cost**", "", *_costs(rows), ""]
    lines += _notes(rows, reference(rows))
    for kind, own in (kinds or {}).items():
        lines += ["", f"## {kind}", "", *_parts(own), *_of_patients(own, reference(own))]
    return "\n".join(lines) + "\n"


def _parts(rows: Sequence[TableRow]) -> list[str]:
    lines = []
    for title, columns in PARTS.items():
        lines += [f"**{title}**", "", *_table(rows, columns), ""]
    return lines


def _which_kind(rows: Sequence[TableRow]) -> list[str]:
    """Shares of the right kind, and of the lesions found as a kind how many are truly of which."""
    told = rows[0].confusion.kinds if rows and rows[0].confusion else ()
    columns = [*RIGHT.values(), *(f"found {kind}: truly {', '.join(told)}" for kind in told)]
    tops = {name: _top(rows, name) for name in RIGHT}
    cells = [
        [
            row.title,
            *(_cell(row, name, tops[name]) for name in RIGHT),
            *(", ".join(map(str, own)) for own in (row.confusion.lesions if row.confusion else ())),
        ]
        for row in rows
    ]
    note = (
        "Of what was found and touches a true lesion, in lesions (a lesion is of the kind in which "
        "most of it lies) and voxels; counts of lesions over all seeds."
    )
    return [*ruled(["method", *columns], cells), "", note]


def to_csv(rows: Sequence[TableRow], kinds: Kinds | None = None) -> str:
    """One line a row: every figure with its interval, the tests and the costs.

    With `kinds` a line of all joined and one of each, told apart by the column `kind`.
    """
    every = {LESION: rows, **(kinds or {})}
    text = io.StringIO()
    names = [*OVERLAP, *AREAS, *SHAPE, *MORE, *(RIGHT if kinds else ())]
    column = (rows[0].unit if rows else Unit.MM).column
    header = ["row", "title", *(["kind"] if kinds else []), "seeds"]
    header += [f"{column(name)}{end}" for name in names for end in ("", "_low", "_high")]
    header += ["missed"]
    header += [f"{column(name)}_{what}" for name in TESTED for what in ("p_holm", "rank_sum")]
    header += [*rows[0].costs, "machines"] if rows else []
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    for kind, row in ((kind, row) for kind, own in every.items() for row in own):
        line: dict[str, Any] = {"row": row.name, "title": row.title, "missed": row.missed}
        line |= {"kind": kind} if kinds else {}
        line["seeds"] = " ".join(map(str, row.seeds))
        for name in names:
            own, key = row.figures.get(name, Interval(None, None, None)), column(name)
            line |= {key: own.value, f"{key}_low": own.low, f"{key}_high": own.high}
        for name, d in row.differences.items():
            line |= {f"{column(name)}_p_holm": d.p_holm, f"{column(name)}_rank_sum": d.rank_sum}
        line |= row.costs | {"machines": "; ".join(row.machines)}
        writer.writerow({k: csv_cell(v) if isinstance(v, str) else v for k, v in line.items()})
    return text.getvalue()


def _about(about: Mapping[str, Any]) -> str:
    patients = f"{about['train']} patients to train on, {about['test']} to test"
    if about.get("folds", 1) > 1:
        patients = f"{about['test']} patients in {about['folds']} folds, each tested once"
    on = f"; masks compared on {about['grids']} grids" if "grids" in about else ""
    return (
        f"{about['suite']}, budget {about['budget']}: {patients}, "
        f"seeds {', '.join(map(str, about['seeds']))}; "
        f"{about['cohort']}{on}. {about['date']}, strokediff {about['version']}."
    )


def ruled(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def told(own: Interval, digits: int = 3) -> str:
    """A figure with its interval, as far as they exist."""
    return "-" if own.value is None else f"{own.value:.{digits}f}{_interval(own, digits)}"


def _table(rows: Sequence[TableRow], columns: Mapping[str, str]) -> list[str]:
    tops = {name: _top(rows, name) for name in columns}
    cells = [[row.title, *(_cell(row, name, tops[name]) for name in columns)] for row in rows]
    return ruled(["method", *_titled(rows, columns)], cells)


def _titled(rows: Sequence[TableRow], columns: Mapping[str, str]) -> list[str]:
    """Column titles, distances with their unit."""
    unit = rows[0].unit if rows else Unit.MM
    return [f"{title} {unit}" if name.endswith("_mm") else title for name, title in columns.items()]


def _top(rows: Sequence[TableRow], name: str) -> float | None:
    """The best value of a column; a row that finds no lesion at all is best in nothing."""
    found = [row for row in rows if row.figures["sensitivity"].value]
    values = [v for row in found if (v := row.figures[name].value) is not None]
    if not values:
        return None
    return min(values) if name in LOWER_IS_BETTER else max(values)


def _cell(row: TableRow, name: str, top: float | None) -> str:
    own = row.figures[name]
    if own.value is None:
        return "-"
    digits = DIGITS.get(name, 3)
    value = f"{own.value:.{digits}f}"
    value = f"**{value}**" if own.value == top else value
    return f"{value}{_mark(row, name)}{_interval(own, digits)}"


def _mark(row: TableRow, name: str) -> str:
    """Whether a row is better or worse than the reference beyond chance, by the test's own sum."""
    own = row.differences.get(name)
    if own is None or not own.significant:
        return ""
    return BETTER if (own.rank_sum > 0) != (name in LOWER_IS_BETTER) else WORSE


def _interval(own: Interval, digits: int) -> str:
    if own.low is None or own.high is None:
        return ""
    return f" [{own.low:.{digits}f}, {own.high:.{digits}f}]"


def _costs(rows: Sequence[TableRow]) -> list[str]:
    columns = ("method", "seeds", "images seen", "parameters, M")
    cells = []
    for row in rows:
        c = row.costs
        seen = f"{c['images']:,.0f}"
        size = [f"{c['parameters'] / 1e6:.2f}", f"{c['gmacs']:.2f}"]
        spent = [f"{c['train_seconds'] / 60:.1f}", f"{c['seconds_a_head']:.2f}"]
        asked = f"{c['evaluations_a_slice']:.0f}"
        cells.append([row.title, str(len(row.seeds)), seen, *size, asked, *spent])
    spent_on = ("GMACs an evaluation", "evaluations a slice", "training, min", "s a head")
    return ruled([*columns, *spent_on], cells)


def _machines(rows: Sequence[TableRow]) -> list[str]:
    """Which machine the times are of, and whose are whose: those of two do not compare."""
    timed = _by_machine((row.machines[0], row) for row in rows)
    notes = [f"Times: {next(iter(timed))}."]
    if len(timed) > 1:
        notes = [f"Times are of several machines and compare within one only: {_listed(timed)}."]
    others = _by_machine((name, row) for row in rows for name in row.machines[1:])
    if others:
        notes.append(
            f"Trained elsewhere, other seeds or folds, not in these times: {_listed(others)}."
        )
    return notes


def _by_machine(pairs: Iterable[tuple[str, TableRow]]) -> dict[str, list[str]]:
    """Machine -> titles of its rows."""
    found: dict[str, list[str]] = {}
    for name, row in pairs:
        found.setdefault(name, []).append(row.title)
    return found


def _listed(machines: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} ({', '.join(titles)})" for name, titles in machines.items())


def _notes(rows: Sequence[TableRow], best: TableRow | None) -> list[str]:
    notes = [
        "Means over patients in 3D, each the mean over seeds; brackets: 95 % bootstrap over "
        "patients, not over seeds: another training would move a figure too. Bold: the best of a "
        "column.",
    ]
    if best is not None:
        notes.append(
            f"{BETTER}, {WORSE}: better, worse than {best.title}, the best of the others by Dice, "
            "by the seeds that both have (paired Wilcoxon over patients, Holm-corrected over the "
            "rows, p < 0.05; tested are Dice, VDP and HD95). It is a test of ranks: where a few "
            "patients differ much, the means may say otherwise."
        )
        untested = [row.title for row in rows if row is not best and not row.differences]
        if untested:
            notes.append(f"Not tested, no seed in common: {', '.join(untested)}.")
    if any(row.figures["auc_mask_brain"].value is None for row in rows):
        notes.append("AUC -: not taken by the version that scored the row.")
    notes.append(
        "AUC of the mask: (recall + specificity) / 2. Over the brain: lesions, true or found, "
        "count wherever they lie. Images seen: slices that a row's own training was shown, a seed."
    )
    notes += _machines(rows)
    begun = {row.title: row.begun for row in rows if row.begun}
    if begun:
        told = "; ".join(f"{title}: {', '.join(models)}" for title, models in begun.items())
        notes.append(f"Went on from a trained model, which has seen more than the others: {told}.")
    return [*notes, *_patients(rows)]


def _of_patients(rows: Sequence[TableRow], best: TableRow | None) -> list[str]:
    """What is to be said of one kind alone."""
    marks = [] if best is None else [f"{BETTER}, {WORSE}: than {best.title}, as above."]
    return [*marks, *_patients(rows)]


def _patients(rows: Sequence[TableRow]) -> list[str]:
    """Who was missed, and who has no lesion."""
    notes = []
    missed = ", ".join(f"{row.title} {row.missed:g}" for row in rows if row.missed)
    if missed:
        notes.append(
            "Patients in whom nothing was found though there is a lesion count with Dice 0 and the "
            f"diagonal of the box as HD and HD95: {missed} (mean over seeds)."
        )
    if rows and rows[0].empty_truth:
        notes.append(f"Without a lesion: {rows[0].empty_truth} patients, left out of VDP.")
    return notes
