"""The figures beside the table: Dice by patient, volumes, and cases to look at."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from strokediff.benchmark.results import values_of_scans
from strokediff.benchmark.scores import RowScores
from strokediff.evaluation.unit import Unit

PICTURE_DPI = 110
PANEL_COLUMNS = 9
TRUE_COLOUR, FOUND_COLOUR = "#55ff55", "#ff5555"
Titles = Mapping[str, str]


@dataclass(frozen=True)
class Example:
    """One patient's slice with the largest lesion: image, truth, and every row's mask (H, W)."""

    label: str
    image: NDArray[np.float32]
    truth: NDArray[np.bool_]
    found: Mapping[str, NDArray[np.bool_]]
    dice: Mapping[str, float]


def boxes(scores: RowScores, titles: Titles) -> Figure:
    """Dice of every patient (mean over seeds) as box plots, with the patients as dots."""
    figure = Figure(figsize=(9, 0.42 * len(scores) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    values = [values_of_scans(found, "dice") for found in scores.values()]
    axes.boxplot(
        values, orientation="horizontal", tick_labels=[titles[n] for n in scores], showfliers=False
    )
    rng = np.random.default_rng(0)
    for y, row in enumerate(values, start=1):
        axes.plot(row, y + rng.uniform(-0.15, 0.15, len(row)), ".", color="C0", alpha=0.4)
    axes.set(xlabel="Dice by patient", xlim=(-0.02, 1.02))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    return figure


def volumes(scores: RowScores, titles: Titles) -> Figure:
    """Found against true volume with the identity, and Bland and Altman's plot, for every row."""
    first = next(iter(scores.values()))[0].patients[0].metrics.unit
    unit = "mL" if first is Unit.MM else "voxels"
    columns = min(4, len(scores))
    height = 2 * math.ceil(len(scores) / columns)
    figure = Figure(figsize=(3.1 * columns, 2.7 * height), layout="constrained")
    axes = figure.subplots(height, columns, squeeze=False)
    for at in axes.flat:
        at.set_visible(False)
    for k, (name, found) in enumerate(scores.items()):
        pred, true = (values_of_scans(found, w) for w in ("volume_pred_ml", "volume_true_ml"))
        top, low = (axes[2 * (k // columns) + i][k % columns] for i in (0, 1))
        end = max(1e-9, float(max(pred.max(), true.max())))
        top.plot([0, end], [0, end], color="0.6", linewidth=1)
        top.plot(true, pred, ".", color="C0")
        top.set(title=titles[name], xlabel=f"true, {unit}", ylabel=f"found, {unit}")
        _bland_altman(low, pred, true, unit)
        for at in (top, low):
            at.set_visible(True)
            at.grid(alpha=0.3)
    return figure


def panel(cases: Sequence[Example], titles: Titles) -> Figure:
    """Every row's outline (red) beside the true one (green), a block of pictures a case."""
    columns = min(PANEL_COLUMNS, len(titles) + 1)
    lines = math.ceil((len(titles) + 1) / columns)
    size = (1.6 * columns, 1.95 * lines * len(cases))
    figure = Figure(figsize=size, facecolor="black", layout="constrained")
    axes = figure.subplots(lines * len(cases), columns, squeeze=False)
    for at in axes.flat:
        at.axis("off")
    for k, case in enumerate(cases):
        block = axes[k * lines : (k + 1) * lines].flat
        _show(next(block), case, None, case.label)
        for name, title in titles.items():
            found = case.found.get(name)
            text = title if found is None else f"{title}\n{case.dice[name]:.2f}"
            _show(next(block), case, found, text)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG, without the name of what drew it."""
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    shown: dict[str, Any] = {"dpi": PICTURE_DPI, "facecolor": figure.get_facecolor()}
    figure.savefig(picture, format="png", metadata={"Software": ""}, **shown)
    return picture.getvalue()


def best_median_worst(scores: RowScores) -> dict[str, int]:
    """Patients by their mean Dice over all rows: the easiest, the middle one and the hardest.

    Only patients with a lesion count; fewer come back if there are fewer.
    """
    first = next(iter(scores.values()))[0].patients
    mean = np.mean([values_of_scans(found, "dice") for found in scores.values()], axis=0)
    there = [i for i, p in enumerate(first) if not p.metrics.truth_empty]
    order = sorted(there, key=lambda i: float(mean[i]))
    if not order:
        return {}
    chosen = {"best": order[-1], "median": order[len(order) // 2], "worst": order[0]}
    return {k: v for n, (k, v) in enumerate(chosen.items()) if v not in [*chosen.values()][:n]}


def _bland_altman(
    axes: Any, pred: NDArray[np.float64], true: NDArray[np.float64], unit: str
) -> None:
    """Difference against mean, with the mean difference and 1.96 standard deviations around it."""
    apart = pred - true
    bias, spread = float(apart.mean()), 1.96 * float(apart.std(ddof=1)) if len(apart) > 1 else 0.0
    axes.plot((pred + true) / 2, apart, ".", color="C1")
    for y, style in ((bias, "-"), (bias - spread, "--"), (bias + spread, "--")):
        axes.axhline(y, color="0.4", linestyle=style, linewidth=1)
    axes.set(xlabel=f"mean, {unit}", ylabel=f"found - true, {unit}")


def _show(axes: Any, case: Example, found: NDArray[np.bool_] | None, text: str) -> None:
    # Rows run from back to front and columns to the patient's right: turned by 180 degrees, as
    # radiologists see it, the front is up and the patient's right on the left side.
    inside = np.argwhere(case.image > case.image.min())
    low, high = (inside.min(0), inside.max(0) + 1) if len(inside) else (0, case.image.shape)
    (top, left), (bottom, right) = np.broadcast_to(low, 2), np.broadcast_to(high, 2)

    def turned(a: NDArray[Any]) -> NDArray[Any]:
        return a[top:bottom, left:right][::-1, ::-1]

    axes.imshow(turned(case.image), cmap="gray", vmin=-1, vmax=1)
    for mask, colour in ((case.truth, TRUE_COLOUR), (found, FOUND_COLOUR)):
        if mask is not None and turned(mask).any():
            axes.contour(turned(mask).astype(float), [0.5], colors=colour, linewidths=0.7)
    axes.set_title(text, color="white", fontsize=7)
