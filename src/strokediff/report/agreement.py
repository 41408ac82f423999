"""The picture of two readers: their volumes beside the line of identity, and Bland and Altman's.

A row a kind of lesion. Where differences grow with the volume the plot on the right is of ratios.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from strokediff.evaluation.agreement.bland_altman import BlandAltman
from strokediff.evaluation.agreement.estimate import Estimate
from strokediff.evaluation.agreement.volumes import Agreement
from strokediff.evaluation.unit import Unit
from strokediff.report.canvas import DPI, FONT
from strokediff.report.figures import RESEARCH_NOTE
from strokediff.util.files import write_bytes
from strokediff.util.kinds import LESION
from strokediff.util.plaintext import visible

POINTS, BIAS, LIMIT, TREND = "#0072b2", "#222222", "#d55e00", "#cc79a7"
RATIO_TICKS = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.33,
    0.5,
    0.67,
    0.8,
    1,
    1.25,
    1.5,
    2,
    3,
    5,
    10,
    20,
    50,
    100,
)
LEAST_SPAN = 0.1
"""What the axis of differences shows at least, either side of 0: they may all be 0."""
LONGEST = 28
"""Characters of a reader's name that are shown."""


@dataclass(frozen=True)
class _Scale:
    """What the plot on the right shows, and how a value is put on its axis and told."""

    found: BlandAltman
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    at: Callable[[float], float]
    told: Callable[[float], str]
    label: str
    ratio: bool

    @classmethod
    def of(cls, found: Agreement, unit: str) -> _Scale:
        a, b = np.array(found.volumes_a), np.array(found.volumes_b)
        if not found.spread_grows:
            told = f"difference A - B, {unit}"
            return cls(found.difference, (a + b) / 2, a - b, float, _amount, told, False)
        there = (a > 0) & (b > 0)
        a, b = a[there], b[there]
        y = np.log(a / b)
        return cls(found.ratio, np.sqrt(a * b), y, math.log, "{:.2f}x".format, "ratio A / B", True)


def write_agreement_figure(
    path: str | Path,
    found: Mapping[str, Agreement],
    *,
    names: tuple[str, str] = ("A", "B"),
    unit: Unit = Unit.MM,
) -> bytes:
    """Write the picture of each kind of lesion, by name, as PNG; returns its bytes.

    `names` are the readers'. Lines are the bias and the 95 % limits of agreement, shades their
    confidence intervals; the bias is drawn as a trend too where it changes with the volume. Raises
    `UsageError` if `path` cannot be written.

    >>> volumes = sd.agreement([12, 35, 80, 4, 51], [10, 30, 64, 5, 47])
    >>> picture = write_agreement_figure("readers.png", {"lesion": volumes})
    >>> picture[:4]
    b'\\x89PNG'
    """
    volume = "mL" if unit is Unit.MM else "voxels"
    figure = Figure(figsize=(10, 4.9 * len(found) + 0.3), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    told = [_clipped(name) for name in names]
    parts = figure.subfigures(len(found), 1, squeeze=False)[:, 0]
    for (kind, own), part in zip(found.items(), parts, strict=True):
        left, right = part.subplots(1, 2)
        _identity(left, own, told, volume)
        _bland_altman(right, _Scale.of(own, volume), volume)
        before = "" if kind == LESION else f"{kind}: "
        title = before + message(own, volume)
        part.suptitle(title, fontsize=11, weight="bold", parse_math=False, family=FONT)
    figure.supxlabel(
        f"A: {told[0]}. B: {told[1]}. Neither is the truth. {RESEARCH_NOTE}",
        fontsize=7.5,
        family=FONT,
        parse_math=False,
    )
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": ""})
    write_bytes(path, stream.getvalue())
    return stream.getvalue()


def message(found: Agreement, unit: str) -> str:
    """What the picture shows, in a sentence.

    >>> message(sd.agreement([12, 35, 80, 4, 51], [10, 30, 64, 5, 47]), "mL")
    'A has 5.2 mL more than B on average; 95 % of patients differ by -7.5 to 17.9 mL'
    """
    use = found.ratio if found.spread_grows else found.difference
    bias, low, high = use.bias.value, use.lower.value, use.upper.value
    if bias is None or low is None or high is None:
        return f"{found.n} patient: no limits of agreement"
    if found.spread_grows:
        return f"A has {bias:.2f} times B's volume; 95 % of patients {low:.2f} to {high:.2f} times"
    more = "more" if bias >= 0 else "less"
    return (
        f"A has {_amount(abs(bias))} {unit} {more} than B on average; 95 % of patients differ "
        f"by {_amount(low)} to {_amount(high)} {unit}"
    )


def _identity(axes: Axes, found: Agreement, names: list[str], unit: str) -> None:
    a, b = np.array(found.volumes_a), np.array(found.volumes_b)
    end = 1.05 * max(float(a.max()), float(b.max())) or 1.0
    axes.plot([0, end], [0, end], color="0.5", lw=1, zorder=1)
    axes.text(0.97 * end, 0.93 * end, "identity", color="0.4", fontsize=8, ha="right", va="top")
    axes.scatter(b, a, s=18, color=POINTS, alpha=0.7, lw=0, zorder=2)
    axes.set(xlim=(-0.02 * end, end), ylim=(-0.02 * end, end), aspect="equal")
    _named(axes, f"volume by B ({names[1]}), {unit}", f"volume by A ({names[0]}), {unit}")
    icc, ccc = found.icc.icc_2_1, found.ccc
    _note(axes, f"n = {found.n}, ICC(2,1) {_short(icc)}, CCC {_short(ccc)}")


def _bland_altman(axes: Axes, scale: _Scale, unit: str) -> None:
    axes.axhline(0, color="0.75", lw=0.8, zorder=0)
    axes.update_datalim([(float(scale.x[0]), -LEAST_SPAN), (float(scale.x[0]), LEAST_SPAN)])
    axes.scatter(scale.x, scale.y, s=18, color=POINTS, alpha=0.7, lw=0, zorder=3)
    for own, tint, style in (
        (scale.found.bias, BIAS, "-"),
        (scale.found.lower, LIMIT, "--"),
        (scale.found.upper, LIMIT, "--"),
    ):
        _line(axes, scale, own, tint, style)
    trend = "; sloping: bias changes" if _draw_trend(axes, scale) else ""
    _note(axes, f"bias and 95 % limits of agreement, shaded: 95 % intervals{trend}")
    mean = f"geometric mean of A and B, {unit}" if scale.ratio else f"mean of A and B, {unit}"
    left_out = scale.found.left_out
    _named(axes, f"{mean} ({left_out} with a 0 left out)" if left_out else mean, scale.label)
    if scale.ratio:
        low, high = axes.get_ylim()
        ticks = [v for v in RATIO_TICKS if low <= math.log(v) <= high]
        axes.set_yticks([math.log(v) for v in ticks], [f"{v:g}" for v in ticks])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")


def _line(axes: Axes, scale: _Scale, own: Estimate, tint: str, style: str) -> None:
    """A line across at its value, shaded over its interval, its figures beside it."""
    if own.value is None:
        return
    axes.axhline(scale.at(own.value), color=tint, ls=style, lw=1.2, zorder=2)
    words = scale.told(own.value)
    if own.low is not None and own.high is not None:
        axes.axhspan(scale.at(own.low), scale.at(own.high), color=tint, alpha=0.1, lw=0, zorder=1)
        words += f"\n[{scale.told(own.low)}, {scale.told(own.high)}]"
    place = axes.get_yaxis_transform()
    y = scale.at(own.value)
    axes.text(1.01, y, words, transform=place, fontsize=7.5, color=tint, va="center")


def _draw_trend(axes: Axes, scale: _Scale) -> bool:
    """Draws the line of proportional bias where its slope is not 0 within chance; whether it is."""
    trend = scale.found.proportional
    low, high, slope = trend.slope.low, trend.slope.high, trend.slope.value
    if slope is None or low is None or high is None or trend.intercept is None or low <= 0 <= high:
        return False
    x = np.linspace(scale.x.min(), scale.x.max(), 50)
    over = np.log(x) if scale.ratio else x
    axes.plot(x, trend.intercept + slope * over, color=TREND, lw=1.2, zorder=2)
    return True


def _named(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=9, parse_math=False, family=FONT)
    axes.set_ylabel(y, fontsize=9, parse_math=False, family=FONT)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _note(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=8, parse_math=False, family=FONT)


def _amount(volume: float) -> str:
    return f"{volume:.1f}" if abs(volume) < 100 else f"{volume:,.0f}"


def _short(own: Estimate) -> str:
    return "none" if own.value is None else own.told()


def _clipped(name: str) -> str:
    name = visible(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
