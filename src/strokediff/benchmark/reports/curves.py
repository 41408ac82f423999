"""What an estimate is worth for its network evaluations: the curve of every method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from strokediff.benchmark.reports.estimates import Subject, Subjects
from strokediff.benchmark.tables import ruled
from strokediff.evaluation.summary import volume_correlation
from strokediff.inference.algorithm1 import Algorithm1
from strokediff.inference.direct import Direct
from strokediff.inference.estimation import METHODS, Estimation
from strokediff.inference.estimator import Context, Estimator
from strokediff.inference.fusion import Fused, estimate_each
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient, Stratified
from strokediff.util.files import write_json
from strokediff.util.jsonfile import read_json

AIM_DIFFERENCE, AIM_EVALUATIONS = 0.005, 64
PRESET = "fast"
SHOWN_FIGURES = {"dice": "Dice", "vdp": "VDP", "error": "volume error, pixels"}
Point = dict[str, Any]
"""evaluations, dice, vdp, vc, error (pixels), seconds a patient, and whether it is a reference."""


@dataclass(frozen=True)
class Curve:
    """Estimators of one quantity, by cost; `reference` is the paper's own sum."""

    name: str
    points: tuple[Estimator, ...]
    reference: Estimator | None = None

    @property
    def every(self) -> tuple[Estimator, ...]:
        """The points, and the reference last."""
        return (*self.points, self.reference) if self.reference else self.points


def curves(T: int, draws: int) -> list[Curve]:
    """Every method as printed (a reference of `draws`), cheaper, and as `fast` has it."""
    half, near, chain = T // 2, round(T * 0.1), round(T * 0.05)
    direct = Repeated(Direct())
    costs = ((1, 1), (2, 1), (4, 1), (4, 2), (4, 4), (8, 4), (8, 8))
    salient = {T_i: [Repeated(Stratified(T_i, k), n) for k, n in costs] for T_i in (half, near)}
    mirrored = [Repeated(Mirrored(Stratified(near, k)), n) for k, n in costs]
    visits = (2, 4, 8, 16, 32, 64)
    markov = {
        T_i: [Repeated(Algorithm1(T_i, stride=max(1, T_i // v))) for v in visits if v < T_i]
        for T_i in (half, chain)
    }
    short = Algorithm1(chain, stride=max(1, chain // 2))
    union = [Fused([direct, a, b]) for a, b in zip(salient[half], markov[half], strict=False)]
    summed = {T_i: Repeated(Salient(T_i), draws) for T_i in (half, near)}
    printed = {T_i: Repeated(Algorithm1(T_i), draws) for T_i in (half, chain)}
    fused = Fused([direct, summed[half], printed[half]])
    threes = tuple(Repeated(short, n) for n in (1, 2, 4, 8))
    return [
        Curve("avg", (direct, Repeated(Mirrored(Direct()), 2)), direct),
        Curve("sal, T_i = T/2", tuple(salient[half]), summed[half]),
        Curve("sal, T_i = T/10", tuple(salient[near]), summed[near]),
        Curve("sal, T_i = T/10, mirrored", tuple(mirrored)),
        Curve("infer, T_i = T/2", tuple(markov[half]), printed[half]),
        Curve("infer, T_i = T/20", tuple(markov[chain]), printed[chain]),
        Curve("infer, T_i = T/20, 3 each", threes, printed[chain]),
        Curve("all, T_i = T/2", tuple(union), fused),
        Curve(PRESET, tuple(Estimation(method, PRESET).estimator(T) for method in METHODS)),
    ]


def worth(
    subjects: Subjects, chosen: Sequence[Curve], slices: int, kept: Path
) -> tuple[dict[str, list[Point]], list[str]]:
    """Every curve's points, means over patients, and the table with its verdicts.

    `slices` evenly spaced slices with brain are used of each patient (0: all). What was estimated
    is kept by patient in `kept` and not again. Dice and VDP in 3D, lesion is y_0 >= 0; VC is
    Pearson's r of the volumes in pixels.
    """
    estimators = {_described(e): e for curve in chosen for e in curve.every}
    key = {"sha256": subjects.model.card.sha256, "slices": slices}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in estimators}
    with subjects.model.estimating() as context:
        for subject in subjects:
            own = _of_one(_some(subject, slices), context, estimators, kept, key)
            for name in estimators:
                found[name].append(own[name])
    table = {
        curve.name: [
            {
                "evaluations": e.evaluations(),
                **_means(found[_described(e)]),
                "reference": bool(curve.reference) and k == len(curve.points),
            }
            for k, e in enumerate(curve.every)
        ]
        for curve in chosen
    }
    about = f"{subjects.about}; {slices or 'all'} slices each."
    return table, [about, "", *_table(table), "", *_verdicts(table)]


def curves_figure(table: Mapping[str, Sequence[Point]]) -> Figure:
    """Every curve's figures against its evaluations; references are squares."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, (key, title) in zip(axes, SHOWN_FIGURES.items(), strict=True):
        for k, (name, points) in enumerate(table.items()):
            ordered = sorted(points, key=lambda p: int(p["evaluations"]))
            x, y = ([p[what] for p in ordered] for what in ("evaluations", key))
            axis.plot(x, y, "D" if name == PRESET else ".-", color=f"C{k}", label=name)
            for p in (p for p in points if p["reference"]):
                axis.plot(p["evaluations"], p[key], "s", color=f"C{k}", markersize=7)
        axis.set(xscale="log", xlabel="network evaluations a slice", title=title)
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _described(estimator: Estimator) -> str:
    """What it is, in words that are the same in another run: without functions' addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(estimator))


def _some(subject: Subject, n: int) -> Subject:
    """The same with n evenly spaced slices."""
    slices = subject.slices
    if not 0 < n < len(slices.keys):
        return subject
    index = np.linspace(0, len(slices.keys) - 1, n + 2)[1:-1].round().astype(int).tolist()
    some = replace(slices.rows(index, [0] * n), draws=())
    return replace(subject, slices=some, truth=subject.truth[index])


def _of_one(
    subject: Subject,
    context: Context,
    estimators: Mapping[str, Estimator],
    kept: Path,
    key: Mapping[str, Any],
) -> dict[str, dict[str, float]]:
    """A patient's figures by estimator; equal parts of several are estimated once."""
    file = kept / f"{subject.name}.json"
    before = read_json(file, "a patient's figures") if file.is_file() else {}
    found: dict[str, dict[str, float]] = before["found"] if before.get("key") == key else {}
    missing = {name: e for name, e in estimators.items() if name not in found}
    for name, timed in estimate_each(missing, subject.slices, context).items():
        mask = subject.mask(timed.estimate.y_0)
        found[name] = {
            "dice": subject.dice(mask),
            "vdp": subject.vdp(mask),
            "found": float(mask.sum()),
            "true": float(subject.truth.sum()),
            "seconds": timed.seconds,
        }
    if missing:
        write_json(file, {"key": dict(key), "found": _without_nan(found)})
    return found


def _without_nan(found: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: None if np.isnan(value) else value for key, value in own.items()}
        for name, own in found.items()
    }


def _means(patients: Sequence[Mapping[str, float]]) -> Point:
    """Over patients; VDP where there is a lesion, VC where volumes vary."""
    of = {key: np.array([p[key] for p in patients], np.float64) for key in patients[0]}
    vc, _ = volume_correlation(of["found"].tolist(), of["true"].tolist())
    error = float(np.abs(of["found"] - of["true"]).mean())
    means = {key: float(np.nanmean(of[key])) for key in ("dice", "vdp", "seconds")}
    return {**means, "vc": vc, "error": error}


def _table(table: Mapping[str, Sequence[Point]]) -> list[str]:
    cells = [
        [
            f"{name}{' (reference)' if p['reference'] else ''}",
            *(f"{p['evaluations']:,}", f"{p['dice']:.3f}", f"{p['vdp']:.3f}"),
            *(_or_none(p["vc"], "{:.3f}"), f"{p['error']:.1f}", f"{p['seconds']:.2f}"),
        ]
        for name, points in table.items()
        for p in points
    ]
    columns = ("method", "evaluations a slice", "Dice", "VDP", "VC", "volume error, pixels")
    return ruled((*columns, "s a patient"), cells)


def _verdicts(table: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    """How near each curve comes to its reference within the aimed cost, and from where it stays."""
    for name, points in table.items():
        reference = next((p for p in points if p["reference"]), None)
        cheap = sorted((p for p in points if not p["reference"]), key=lambda p: p["evaluations"])
        cheap = [p for p in cheap if p["evaluations"] <= AIM_EVALUATIONS]
        if reference is None or reference["evaluations"] <= 1:
            continue
        said = []
        for key, title in (("dice", "Dice"), ("vc", "VC")):
            apart = [_apart(p[key], reference[key]) for p in cheap]
            near = _stays([p["evaluations"] for p in cheap], apart)
            within = f"within {AIM_DIFFERENCE} from {near} on" if near else "not within"
            said.append(f"{title} {_or_none(apart[-1], '{:+.3f}')}, {within}")
        spent = f"{cheap[-1]['evaluations']} against {reference['evaluations']:,} evaluations"
        yield f"- {name}, {spent}: {'; '.join(said)}"


def _apart(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else value - reference


def _stays(evaluations: Sequence[int], apart: Sequence[float | None]) -> int | None:
    """From which cost on all are as near as aimed."""
    near = None
    for spent, own in zip(evaluations, apart, strict=True):
        within = own is not None and abs(own) <= AIM_DIFFERENCE
        near = (near or spent) if within else None
    return near


def _or_none(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
