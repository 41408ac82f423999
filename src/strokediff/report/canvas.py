"""What pictures are drawn on: an axes in millimetres, its colours and its text.

No pyplot and no global state, so that a figure can be drawn in any thread. All text is drawn
literally: names from files are not parsed as TeX.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

BACKGROUND = "#0b0d10"
TEXT, FAINT = "#e8eaed", "#8d96a0"
OUTLINE, ALERT = "#ff5d3a", "#ffc857"
KINDS = {"infarct": "#56b4e9", "haemorrhage": OUTLINE}
"""Blue and vermilion: told apart with any colour vision, and on any grey (Okabe and Ito)."""
OTHER_KINDS = (
    "#f0e442",
    "#cc79a7",
    "#2fd6a3",
    "#e69f00",
    "#b9a7ff",
    "#d9d9d9",
    "#9be564",
    "#ff9ecb",
)
FONT = ["DejaVu Sans"]
DPI = 130
EDGED: dict[str, Any] = {"path_effects": [withStroke(linewidth=1.5, foreground=BACKGROUND)]}
"""Keeps a label legible over bone."""


def colours(kinds: Sequence[str]) -> list[str]:
    """Of each kind of lesion; that of a single one is always the same.

    >>> colours(["infarct", "haemorrhage"]) == list(KINDS.values()), colours(["infarct"])
    (True, ['#ff5d3a'])
    """
    if len(kinds) < 2:
        return [OUTLINE]
    free = iter(OTHER_KINDS)
    return [KINDS[kind] if kind in KINDS else next(free) for kind in kinds]


@dataclass(frozen=True)
class Canvas:
    """A figure with one axes in mm, y downwards, `width` x `height`; `pt` is one point in mm."""

    figure: Figure
    axes: Axes
    width: float
    height: float
    pt: float

    @classmethod
    def blank(cls, width_mm: float, height_mm: float, inches: float) -> Canvas:
        """A dark canvas `inches` wide for a drawing of `width_mm` x `height_mm`."""
        figure = Figure(
            figsize=(inches, inches * height_mm / width_mm), dpi=DPI, facecolor=BACKGROUND
        )
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width_mm)
        axes.set_ylim(height_mm, 0)
        axes.axis("off")
        return cls(figure, axes, width_mm, height_mm, width_mm / (72.0 * inches))

    def text(self, x: float, y: float, text: str, points: float, **style: Any) -> None:
        """Literal text at (x, y) mm."""
        style = {"color": TEXT, "va": "baseline", **style}
        self.axes.text(x, y, text, fontsize=points, parse_math=False, family=FONT, **style)

    def png(self) -> bytes:
        """The drawing as a PNG."""
        stream = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in another script
            self.figure.savefig(stream, format="png", metadata={"Software": ""})
        return stream.getvalue()
