"""Does a method lead wherever it is cut? Every row of a benchmark at many cuts of its probability.

Dice, VC and VDP hang on where the probability is cut, and a network that is less sure of itself is
not a worse one. No cut is to be chosen by this on patients who are there to test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import TABLEAU_COLORS
from matplotlib.figure import Figure
from numpy.typing import NDArray

from strokediff.benchmark.arms import ARMS
from strokediff.benchmark.report import titles_of
from strokediff.benchmark.tables import ruled
from strokediff.benchmark.together import ranks
from strokediff.errors import InputError
from strokediff.evaluation.metrics import Confusion
from strokediff.evaluation.summary import volume_correlation
from strokediff.prediction.labels import KindsReader

CUTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MARKED = "0.5"
"""The cut of the benchmark's tables."""
EXPECTED = "expected"
FIGURES_OF_CUT = ("Dice", "VC", "VC of ranks", "VDP", "median VDP", "volume")
Curve = dict[str, NDArray[np.float64]]
"""Cut -> `FIGURES_OF_CUT`; `volume` is all that is found over all that is true."""


def cut_curves(
    predictions: Path, rows: Sequence[str] = (), seeds: Sequence[int] = ()
) -> dict[str, Curve]:
    """Row -> its curve, the mean over `seeds` (all if none), of the patients with a lesion.

    `predictions` is that of a benchmark or an ablation. SDPM's probabilities have lost their lone
    pixels at one half. Raises `InputError` without predictions, or if rows are of other patients.
    """
    found: dict[str, list[Curve]] = {}
    patients: set[str] = set()
    for row, folder in _folders(predictions, seeds):
        if not rows or row in rows:
            names = {file.name for file in (folder.parent / "truth").glob("*.nii.gz")}
            patients = patients or names
            if names != patients:
                raise InputError(f"{folder.parent}: of other patients than the rows before it.")
            found.setdefault(row, []).append(_curve(folder))
    if not found:
        raise InputError(f"{predictions}: no predictions of a benchmark's rows in it.")
    return {
        row: {cut: np.mean([own[cut] for own in curves], axis=0) for cut in curves[0]}
        for row, curves in found.items()
    }


def cuts_table(curves: Mapping[str, Curve]) -> list[str]:
    """A line for each row and cut."""
    cells = [
        [row, cut, *(f"{value:.3f}" for value in figures)]
        for row, curve in curves.items()
        for cut, figures in curve.items()
    ]
    return ruled(("row", "cut", *FIGURES_OF_CUT), cells)


def cuts_figure(curves: Mapping[str, Curve]) -> Figure:
    """Dice against VDP: up and to the left is better; a dot where the tables cut; ours solid."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = [*TABLEAU_COLORS, "black", "gold", "navy", "lime", "salmon", "teal"]
    titles = titles_of([*ARMS.values()])
    others = titles_of([arm for arm in ARMS.values() if not arm.ours])
    for number, (row, curve) in enumerate(curves.items()):
        style, colour = "--" if row in others else "-", colours[number % len(colours)]
        points = np.array([figures for cut, figures in curve.items() if cut != EXPECTED])
        dice, vdp = FIGURES_OF_CUT.index("Dice"), FIGURES_OF_CUT.index("VDP")
        label = titles.get(row, row)
        axes.plot(points[:, vdp], points[:, dice], style, color=colour, label=label)
        axes.plot(curve[MARKED][vdp], curve[MARKED][dice], "o", color=colour)
    axes.set(xlabel="mean VDP", ylabel="mean Dice")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _folders(predictions: Path, seeds: Sequence[int]) -> Iterator[tuple[str, Path]]:
    """Row and folder of every training and estimate, those that `ARMS` has in its order."""
    order = {name: k for k, name in enumerate(ARMS)}
    arms = [folder for folder in predictions.glob("*") if folder.is_dir()]
    for arm in sorted(arms, key=lambda own: (order.get(own.name, len(order)), own.name)):
        for seed in sorted(arm.glob("seed-*")):
            if seeds and seed.name not in [f"seed-{number}" for number in seeds]:
                continue
            methods = sorted(folder.parent for folder in seed.glob("*/probabilities"))
            for method in methods:
                several = len(methods) > 1
                yield f"{arm.name}-{method.name}" if several else arm.name, method


def _curve(folder: Path) -> Curve:
    """Of lesions of any kind."""
    found, true = [], []
    files = sorted((folder.parent / "truth").glob("*.nii.gz"))
    reader = KindsReader.of(folder.parent / "truth", [folder / "masks" / f.name for f in files])
    for file in files:
        y = np.asarray(reader.truth(file)[1].any(axis=0))
        if y.any():
            mask, probabilities = (folder / part / file.name for part in ("masks", "probabilities"))
            prob = reader.probabilities(probabilities, mask)[1].max(axis=0)
            found.append(_at_cuts(prob, y))
            true.append(float(y.sum()))
    return {cut: _figures([own[cut] for own in found], true) for cut in found[0]}


def _at_cuts(prob: NDArray[np.float32], true: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
    """Cut -> (Dice, voxels found)."""
    masks = {f"{cut}": prob >= cut for cut in CUTS} | {EXPECTED: expected(prob)}
    return {cut: (Confusion.of(m, true).dice, float(m.sum())) for cut, m in masks.items()}


def expected(prob: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The likeliest voxels, as many as the probabilities add up to.

    The volume is then right on average if the probabilities are.
    """
    mask = np.zeros(prob.size, bool)
    mask[np.argsort(-prob, axis=None, kind="stable")[: round(float(prob.sum()))]] = True
    return mask.reshape(prob.shape)


def _figures(patients: Sequence[tuple[float, float]], true: list[float]) -> NDArray[np.float64]:
    dice, found = np.array(patients).T
    vdp = np.abs(found - true) / true
    vc, _ = volume_correlation(found.tolist(), true)
    rho, _ = volume_correlation(ranks(found).tolist(), ranks(np.array(true)).tolist())
    values = (dice.mean(), vc, rho, vdp.mean(), np.median(vdp), found.sum() / sum(true))
    return np.array(values, dtype=np.float64)
