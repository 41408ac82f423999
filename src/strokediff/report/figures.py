"""The pictures: a montage of axial slices with the lesion's outline, and the key slice, large.

Masks may be labels: 0, and k + 1 where there is lesion of kind k. Of several kinds each has its
colour (`canvas.colours`). Each figure is on a canvas of its own, so it can be drawn in any thread.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.report.canvas import ALERT, EDGED, FAINT, OUTLINE, TEXT, Canvas, colours
from strokediff.report.views import Crop, choose_slices, crop_to_head, key_slice, to_grey
from strokediff.result.figures import KindFigures
from strokediff.util.files import write_bytes

GAP_MM = 3.0
SCALE_BAR_MM = 50.0
MOST_LINES = 8
"""Lines of warnings below the montage; the report has them all."""
RESEARCH_NOTE = "For research use only. Not a medical device."


def write_preview(
    path: Path,
    hu: NDArray[Any],
    mask: NDArray[Any],
    brain: NDArray[Any] | None = None,
    *,
    pixel_spacing_mm: tuple[float, float],
    volume_ml: float,
    title: str,
    volume_interval_ml: Sequence[float] | None = None,
    kinds: Sequence[KindFigures] = (),
    slice_positions_mm: Sequence[float] | None = None,
    warning_lines: Sequence[str] = (),
    note: str = "",
    unusable: Collection[int] = (),
    max_slices: int = 24,
) -> bytes:
    """Write the montage to `path` as PNG and return its bytes, for the report.

    `hu`, `mask` and `brain` are canonical (X, Y, Z); `pixel_spacing_mm` is along x and y;
    `slice_positions_mm` (Z,), if given, labels the slices; `warning_lines` are sentences shown
    below, and `note` one about the model. Slices `unusable` (from 0), where nothing was sought, are
    framed and say so. Of several `kinds` of lesion each has its volume in the head line.
    Raises `UsageError` if `path` cannot be written.
    """
    crop = crop_to_head(hu, mask, brain, pixel_spacing_mm)
    chosen = choose_slices(hu, mask, brain, max_slices, sorted(unusable))
    columns = _columns(len(chosen))
    rows = -(-len(chosen) // columns)
    width, height = crop.size_mm
    total = columns * width + (columns + 1) * GAP_MM
    inches = 2.0 * columns
    pt = total / (72.0 * inches)
    sentences = [note, *(f"Warning: {text}" for text in warning_lines)]
    lines = _shortened([line for text in sentences for line in _wrap(text, columns * 27)])
    header, footer = (44 + 17 * max(0, len(kinds) - 2)) * pt, (40 + 14 * len(lines)) * pt
    canvas = Canvas.blank(total, header + rows * (height + GAP_MM) + footer, inches)
    volumes = [(_volume_text(volume_ml, volume_interval_ml), "lesion volume")]
    if len(kinds) > 1:
        volumes = [(_volume_text(k.volume_ml, k.volume_interval_ml), k.name) for k in kinds]
    tints = colours([name for _, name in volumes])
    _draw_header(canvas, _clip(title, columns * 14 - 24))
    _draw_volumes(canvas, volumes, tints)
    for n, k in enumerate(chosen):
        x = GAP_MM + (n % columns) * (width + GAP_MM)
        y = header + (n // columns) * (height + GAP_MM)
        _draw_slice(canvas, crop, hu, mask, k, (x, y), 8.0, tints)
        _label_slice(canvas, crop, mask, k, (x, y), slice_positions_mm, tints)
        if k in unusable:
            _mark_unusable(canvas, crop, (x, y))
    _draw_footer(canvas, lines)
    png = canvas.png()
    write_bytes(path, png)
    return png


def render_key_slice(
    hu: NDArray[Any],
    mask: NDArray[Any],
    brain: NDArray[Any] | None = None,
    maps: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    *,
    pixel_spacing_mm: tuple[float, float],
    kinds: Sequence[str] = (),
    of: int | None = None,
) -> bytes:
    """The slice with the most lesion as PNG: plain, outlined, and with each map over it.

    `maps` are values in [0, 1] by caption. The plain picture is there because an outline hides the
    faint edge that it follows. Of several `kinds` it is the slice with the most lesion of that
    label, if `of` names one.
    """
    crop = crop_to_head(hu, mask, brain, pixel_spacing_mm)
    k = key_slice(mask if of is None else mask == of)
    width, height = crop.size_mm
    captions = ["CT", "CT with outline", *maps]
    total = len(captions) * (width + GAP_MM) + GAP_MM
    inches = 4.0 * len(captions)
    top = 26 * total / (72.0 * inches)
    canvas = Canvas.blank(total, top + height + GAP_MM, inches)
    for n, caption in enumerate(captions):
        corner = (GAP_MM + n * (width + GAP_MM), top)
        canvas.text(
            corner[0], top - 8 * canvas.pt, f"{caption}, slice {k + 1} of {hu.shape[2]}", 11
        )
        drawn = mask if n == 1 else np.zeros_like(mask)
        _draw_slice(canvas, crop, hu, drawn, k, corner, 10.0, colours(kinds))
        if caption in maps:
            _draw_map(canvas, crop, maps[caption], k, corner)
    return canvas.png()


def _draw_header(canvas: Canvas, title: str) -> None:
    pt = canvas.pt
    canvas.text(GAP_MM, 22 * pt, title, 13, weight="bold")
    canvas.text(GAP_MM, 36 * pt, "Axial, W40 L40 (20 to 60 HU)", 8, color=FAINT)


def _draw_volumes(canvas: Canvas, volumes: Sequence[tuple[str, str]], tints: Sequence[str]) -> None:
    """The volume above what it is of; of several kinds a line each, which is the legend too."""
    pt, right = canvas.pt, canvas.width - GAP_MM
    if len(volumes) == 1:
        ((volume, name),) = volumes
        canvas.text(right, 22 * pt, volume, 13, weight="bold", ha="right", color=tints[0])
        canvas.text(right, 36 * pt, name, 8, ha="right", color=FAINT)
        return
    for k, ((volume, name), tint) in enumerate(zip(volumes, tints, strict=True)):
        at, text = (19 + 17 * k) * pt, f"{name} {volume}"
        canvas.text(right, at, text, 11, weight="bold", ha="right", color=tint)


def _draw_footer(canvas: Canvas, lines: Sequence[str]) -> None:
    pt, right = canvas.pt, canvas.width - GAP_MM
    y = canvas.height - (26 + 14 * len(lines)) * pt
    canvas.axes.plot([GAP_MM, GAP_MM + SCALE_BAR_MM], [y - 2 * pt] * 2, color=TEXT, lw=2)
    canvas.text(GAP_MM + SCALE_BAR_MM + 4 * pt, y, f"{SCALE_BAR_MM / 10:.0f} cm", 8)
    convention = "R: patient's right. Slices are numbered from the bottom."
    canvas.text(GAP_MM, y + 14 * pt, convention, 7.5, color=FAINT)
    canvas.text(right, y, RESEARCH_NOTE, 8, ha="right")
    for n, line in enumerate(lines):
        canvas.text(GAP_MM, y + (28 + 14 * n) * pt, line, 8, color=ALERT)


def _draw_slice(
    canvas: Canvas,
    crop: Crop,
    hu: NDArray[Any],
    mask: NDArray[Any],
    k: int,
    corner: tuple[float, float],
    points: float,
    tints: Sequence[str] = (OUTLINE,),
) -> None:
    """One slice with its outlines and side markers, its upper left corner at `corner`, mm."""
    (x, y), (width, height) = corner, crop.size_mm
    extent = (x, x + width, y + height, y)
    canvas.axes.imshow(to_grey(crop.axial(hu, k)), cmap="gray", vmin=0, vmax=1, extent=extent)
    canvas.axes.set_aspect("auto")
    shown = np.pad(crop.axial(mask, k), 1)
    areas = {label: np.count_nonzero(shown == label) for label in range(1, len(tints) + 1)}
    # The smaller last: where two kinds share an edge, one may lie within the other.
    for label in sorted(areas, key=lambda label: -areas[label]):
        lesion, tint = (shown == label).astype(np.float32), tints[label - 1]
        if areas[label]:
            sx, sy = crop.pixel_spacing_mm
            columns = x + (np.arange(lesion.shape[1]) - 0.5) * sx
            rows = y + (np.arange(lesion.shape[0]) - 0.5) * sy
            canvas.axes.contour(columns, rows, lesion, [0.5], colors=[tint], linewidths=[1.1])
    canvas.text(x + 2, y + 2, "R", points, color=FAINT, va="top")
    canvas.text(x + width - 2, y + 2, "L", points, color=FAINT, va="top", ha="right")


def _label_slice(
    canvas: Canvas,
    crop: Crop,
    mask: NDArray[Any],
    k: int,
    corner: tuple[float, float],
    positions_mm: Sequence[float] | None,
    tints: Sequence[str],
) -> None:
    (x, y), (width, height) = corner, crop.size_mm
    bottom = y + height - 4 * canvas.pt
    place = "" if positions_mm is None else f"  {positions_mm[k]:+.0f} mm"
    canvas.text(x + 2, bottom, f"{k + 1}/{mask.shape[2]}{place}", 7, color=FAINT, **EDGED)
    sx, sy = crop.pixel_spacing_mm
    for label, tint in reversed([*enumerate(tints, start=1)]):
        area_cm2 = np.count_nonzero(mask[:, :, k] == label) * sx * sy / 100.0
        if area_cm2:
            style = {"color": tint, "ha": "right", **EDGED}
            canvas.text(x + width - 4, bottom, f"{area_cm2:.1f} cm²", 7, **style)
            bottom -= 9 * canvas.pt


def _mark_unusable(canvas: Canvas, crop: Crop, corner: tuple[float, float]) -> None:
    """A dashed frame and a word: what is outlined here was not seen here."""
    (x, y), (width, height) = corner, crop.size_mm
    inset = canvas.pt
    frame_x = [x + inset, x + width - inset, x + width - inset, x + inset, x + inset]
    frame_y = [y + inset, y + inset, y + height - inset, y + height - inset, y + inset]
    canvas.axes.plot(frame_x, frame_y, color=ALERT, lw=1.4, ls=(0, (4, 3)))
    style = {"color": ALERT, "ha": "center", "va": "top", **EDGED}
    canvas.text(x + width / 2, y + 4 * canvas.pt, "unusable, interpolated", 7, **style)


def _draw_map(
    canvas: Canvas, crop: Crop, values: NDArray[Any], k: int, corner: tuple[float, float]
) -> None:
    """Values in [0, 1] as colour over the slice, more opaque where they are higher; their scale."""
    (x, y), (width, height) = corner, crop.size_mm
    shown = np.clip(crop.axial(values, k).astype(np.float32), 0.0, 1.0)
    canvas.axes.imshow(
        shown,
        cmap="inferno",
        vmin=0,
        vmax=1,
        alpha=np.clip(2.0 * shown, 0.0, 0.8),
        extent=(x, x + width, y + height, y),
    )
    ramp = np.linspace(0, 1, 64)[None]
    left, bottom = x + 0.3 * width, y + height - 5 * canvas.pt
    extent = (left, left + 0.4 * width, bottom, bottom - 6 * canvas.pt)
    canvas.axes.imshow(ramp, cmap="inferno", extent=extent)
    canvas.axes.set_aspect("auto")
    for value, ha in ((0, "right"), (1, "left")):
        place = left + value * 0.4 * width + (2 * value - 1) * 3 * canvas.pt
        canvas.text(place, bottom, str(value), 8, ha=ha, color=FAINT)


def _columns(count: int) -> int:
    """How many slices stand in a row: a sheet a little wider than high."""
    return max(4, min(6, int(np.ceil(np.sqrt(1.4 * count)))))


def _volume_text(volume_ml: float, interval_ml: Sequence[float] | None) -> str:
    spread = "" if interval_ml is None else f"  ({interval_ml[0]:.1f} to {interval_ml[1]:.1f})"
    return f"{volume_ml:.1f} mL{spread}"


def _clip(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def _shortened(lines: list[str]) -> list[str]:
    """At most `MOST_LINES`; what is cut is said."""
    if len(lines) <= MOST_LINES:
        return lines
    kept = lines[: MOST_LINES - 1]
    return [*kept, f"... {len(lines) - len(kept)} more lines: see report.html or result.json"]


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), width)
