"""The picture of a noise comparison: what each draws, and how it differs from the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from strokediff.benchmark.figures import png
from strokediff.benchmark.noise.measure import Measurement

TINY = 1e-6
IMAGES = "images"
BLACK = "#111111"
PALETTE = ("#8a8f98", "#d1495b", "#2a7f9e", "#e09f3e", "#5b8e3e", "#7b5ea7")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))


@dataclass(frozen=True)
class Column:
    """One column: samples (n, H, W) and the measurement of all draws."""

    name: str
    samples: Tensor
    measurement: Measurement


@dataclass(frozen=True)
class Scales:
    """Half widths of the grey and of the mean's scale, and the end of the variance's."""

    sample: float
    mean: float
    variance: float

    @classmethod
    def of(cls, measured: Sequence[Measurement]) -> Scales:
        """What holds all but 0.5 % of the pixels of every map."""
        tops = [
            [float(getattr(m, name).abs()[m.support].quantile(0.995)) for m in measured]
            for name in ("mean", "variance")
        ]
        deviation = max(m.std for m in measured)
        return cls(max(3.0 * deviation, TINY), *(max(*top, TINY) for top in tops))


def noise_figure(columns: Sequence[Column]) -> bytes:
    """PNG: a column each of samples, mean map and variance map; below, the three curves.

    All noise shares its scales, so that maps compare; the column named "images" has its own.
    """
    rows = len(columns[0].samples) + 2
    width = max(13.0, 2.3 * len(columns) + 0.6)
    side = min(2.9, (width - 0.6) / len(columns))
    upper_height = rows * (side + 0.25) + 0.4
    height = upper_height + 4.2
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[upper_height, 4.2])
    upper, lower = parts
    axes = upper.subplots(rows, len(columns), squeeze=False)
    noises = [c.measurement for c in columns if c.name != IMAGES]
    for j, column in enumerate(columns):
        own = [column.measurement] if column.name == IMAGES or not noises else noises
        _draw_maps(axes[:, j], column, Scales.of(own))
    labels = [*(f"sample {i + 1}" for i in range(rows - 2)), "mean", "variance"]
    for ax, label in zip(axes[:, 0], labels, strict=True):
        ax.set_ylabel(label, fontsize=11)
    _draw_curves(lower.subplots(1, 3), columns)
    return png(figure)


def _draw_maps(axes: Any, column: Column, scales: Scales) -> None:
    found = column.measurement
    inside = found.support.numpy()
    rows, columns = (np.flatnonzero(inside.any(axis=1 - k)) for k in (0, 1))
    crop = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))

    def cropped(values: Tensor) -> Any:
        return np.where(inside, values.float().numpy(), np.nan)[crop]

    for ax, sample in zip(axes, column.samples, strict=False):
        _draw(ax, cropped(sample), "gray", -scales.sample, scales.sample)
    _draw(axes[-2], cropped(found.mean), "RdBu_r", -scales.mean, scales.mean)
    _draw(axes[-1], cropped(found.variance), "viridis", 0.0, scales.variance)
    axes[0].set_title(column.name, fontsize=13, weight="bold")


def _draw(axes: Axes, values: Any, colours: str, low: float, high: float) -> None:
    axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set_xlabel(f"{low:.2g} to {high:.2g}", fontsize=8, color="#555555", labelpad=2)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_curves(axes: Any, columns: Sequence[Column]) -> None:
    correlation, spectrum, energy = axes
    models = [c.name for c in columns if c.name != IMAGES]
    for column in columns:
        found, k = column.measurement, models.index(column.name) if column.name in models else -1
        style: dict[str, Any] = {
            "color": BLACK if k < 0 else PALETTE[k % len(PALETTE)],
            "linestyle": "-" if k < 0 else LINES[(k + 1) % len(LINES)],
            "linewidth": 2.6 if k < 0 else 1.8,
            "label": column.name,
        }
        correlation.plot(found.correlation.at, found.correlation.value, **style)
        power = found.spectrum.value[1:] / max(found.std**2, 1e-12)
        spectrum.loglog(found.spectrum.at[1:], power, **style)
        energy.plot(np.arange(1, len(found.energy) + 1), 100 * found.energy.numpy(), **style)
    _label(correlation, "Correlation against distance", "distance, pixels", "correlation")
    correlation.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    _label(spectrum, "Radial spectrum", "frequency, cycles a pixel", "power / variance")
    _label(
        energy,
        "Energy in the images' components",
        "components, the largest first",
        "share of the energy, %",
    )
    energy.set_ylim(0, 100)
    correlation.legend(fontsize=9, frameon=False)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
