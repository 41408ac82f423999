"""The pictures of a result. They may fail, one by one; the mask never does for their sake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from strokediff.ct.volume import CT
from strokediff.errors import UsageError
from strokediff.segmentation.patients.folder import PAGES
from strokediff.segmentation.pipeline import Segmentation
from strokediff.segmentation.unfinished import reason
from strokediff.util.leftovers import remove

T = TypeVar("T")


def write_pictures(folder: Path, volume: CT, found: Segmentation, report: dict[str, Any]) -> None:
    """preview.png and report.html; what could not be made is told in `report["warnings"]`."""
    png = _optional("preview.png", folder, report, partial(_preview, folder, volume, found, report))
    figure = _optional("the report's figure", folder, report, partial(_figure, volume, found))
    _optional(
        "report.html", folder, report, lambda: _page(folder, volume, found, report, png, figure)
    )


def drop_pictures(folder: Path, report: dict[str, Any], error: UsageError) -> None:
    """Make room for what matters: remove them and say why; `error` again if there are none."""
    there = [folder / name for name in PAGES if (folder / name).exists()]
    if not there:
        raise error
    for path in there:
        remove(path)
        report["warnings"].append(f"{path.name} could not be made (no room beside the mask)")


def _optional(name: str, folder: Path, report: dict[str, Any], make: Callable[[], T]) -> T | None:
    try:
        return make()
    except Exception as error:  # whatever it is, it is not worth the mask
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        remove(folder / name)
        report["warnings"].append(f"{name} could not be made ({reason(cause)})")
        return None


def _preview(folder: Path, volume: CT, found: Segmentation, report: Mapping[str, Any]) -> bytes:
    from strokediff.report.figures import write_preview

    depth = np.arange(found.mask.shape[2])
    middle = [(n - 1) / 2 for n in found.mask.shape[:2]]
    centres = np.column_stack([np.full((len(depth), 2), middle), depth])
    positions = volume.index_to_world(centres)[:, 2]
    return write_preview(
        folder / "preview.png",
        volume.hu,
        found.mask,
        found.brain,
        pixel_spacing_mm=volume.pixel_spacing_mm,
        volume_ml=report["volume_ml"],
        title=report["case"],
        volume_interval_ml=report["volume_interval_ml"],
        slice_positions_mm=positions.tolist(),
        warning_lines=report["warnings"],
        unusable=[one["slice"] - 1 for one in report.get("unusable_slices", ())],
        note=f"model {report['model']['name']}, trained on {report['model']['trained_on']}",
    )


def _figure(volume: CT, found: Segmentation) -> bytes:
    from strokediff.report.figures import render_key_slice

    return render_key_slice(
        volume.hu,
        found.mask,
        found.brain,
        {"Probability of lesion": found.prob, "Entropy, bits": found.entropy},
        pixel_spacing_mm=volume.pixel_spacing_mm,
    )


def _page(
    folder: Path,
    volume: CT,
    found: Segmentation,
    report: Mapping[str, Any],
    preview: bytes | None,
    figure: bytes | None,
) -> None:
    from strokediff.report.html import ReportFigure, write_report

    caption = (
        "The slice with the largest area of lesion: plain, outlined, its probability, and its "
        "entropy: where the model is unsure."
    )
    sx, sy = volume.pixel_spacing_mm
    write_report(
        folder / "report.html",
        report,
        preview,
        figures=[ReportFigure(figure, caption)] if figure else [],
        slice_areas_mm2=(found.mask.sum(axis=(0, 1)) * sx * sy).tolist(),
    )
