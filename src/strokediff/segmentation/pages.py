"""The pictures and pages of a result. They may fail, one by one; the mask never does for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from strokediff.errors import UsageError
from strokediff.report.sentences import maker_line
from strokediff.result.figures import Result
from strokediff.segmentation.outputs import PAGES, VIEWER, Found
from strokediff.segmentation.unfinished import reason
from strokediff.util.leftovers import remove

T = TypeVar("T")


def write_pages(
    folder: Path, found: Found, record: Result, *, pictures: bool, viewer: bool
) -> list[str]:
    """viewer.html, preview.png and report.html; returns warnings about what could not be made."""
    unmade: list[str] = []
    if viewer:
        _optional(VIEWER, folder, unmade, partial(_viewer, folder, found, record))
    if not pictures:
        return unmade
    png = _optional("preview.png", folder, unmade, partial(_preview, folder, found, record))
    figures = _optional("the report's figure", folder, unmade, partial(_figures, found, record))
    told = record.told(*unmade)
    page = partial(_page, folder, found, told, png, figures or [])
    _optional("report.html", folder, unmade, page)
    return unmade


def drop_pictures(folder: Path, error: UsageError) -> list[str]:
    """Make room for what matters: remove them and say why; `error` again if there are none."""
    there = [folder / name for name in PAGES if (folder / name).exists()]
    if not there:
        raise error
    for path in there:
        remove(path)
    return [f"{path.name} could not be made (no room beside the mask)" for path in there]


def _optional(name: str, folder: Path, unmade: list[str], make: Callable[[], T]) -> T | None:
    try:
        return make()
    except Exception as error:  # whatever it is, it is not worth the mask
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        remove(folder / name)
        unmade.append(f"{name} could not be made ({reason(cause)})")
        return None


def _viewer(folder: Path, found: Found, record: Result) -> None:
    from strokediff.viewer.page import write_viewer

    probability = found.estimated.probability if found.estimated else None
    write_viewer(folder / VIEWER, record, found.ct, found.labels, probability, found.brain)


def _preview(folder: Path, found: Found, record: Result) -> bytes:
    from strokediff.report.figures import write_preview

    ct = found.ct
    depth = np.arange(found.mask.shape[2])
    middle = [(n - 1) / 2 for n in found.mask.shape[:2]]
    centres = np.column_stack([np.full((len(depth), 2), middle), depth])
    positions = ct.index_to_world(centres)[:, 2]
    return write_preview(
        folder / "preview.png",
        ct.hu,
        found.labels,
        found.brain,
        pixel_spacing_mm=ct.pixel_spacing_mm,
        volume_ml=record.volume_ml,
        title=record.case,
        volume_interval_ml=record.volume_interval_ml,
        kinds=record.kinds,
        slice_positions_mm=positions.tolist(),
        warning_lines=(*_distrust(record), *record.warnings),
        unusable=[one.slice - 1 for one in record.unusable_slices],
        note=maker_line(record),
    )


def _distrust(record: Result) -> list[str]:
    """That the result is not to be trusted, and for what; the report and the record say why."""
    if record.trust is None or record.trust.ok:
        return []
    against = ", ".join(dict.fromkeys(reason.check for reason in record.trust.reasons))
    return [f"do not rely on this result: {against} (result.json and report.html say why)"]


def _figures(found: Found, record: Result) -> list[tuple[bytes, str]]:
    """The key slice with its caption; of several kinds that of each that was found."""
    from strokediff.report.figures import render_key_slice

    kinds = [own.name for own in record.kinds]
    there = [k for k, own in enumerate(record.kinds) if own.volume_ml] or [0]
    shown: list[tuple[str, int | None]] = [(kinds[k], k + 1) for k in there if len(kinds) > 1] or [
        ("lesion", None)
    ]
    told = (
        ", its probability, and its entropy: where the model is unsure" if found.estimated else ""
    )
    return [
        (
            render_key_slice(
                found.ct.hu,
                found.labels,
                found.brain,
                _maps(found, name, label),
                pixel_spacing_mm=found.ct.pixel_spacing_mm,
                kinds=kinds,
                of=label,
            ),
            f"The slice with the largest area of {name}: plain, outlined{told}.",
        )
        for name, label in shown
    ]


def _maps(found: Found, name: str, label: int | None) -> dict[str, NDArray[np.float32]]:
    """What a model says of a kind of lesion, with what a figure calls it."""
    own = found.estimated
    if own is None:
        return {}
    probability = own.probability if label is None else own.probabilities[label - 1]
    return {f"Probability of {name}": probability, "Entropy, bits": own.entropy}


def _page(
    folder: Path,
    found: Found,
    record: Result,
    preview: bytes | None,
    figures: Sequence[tuple[bytes, str]],
) -> None:
    from strokediff.report.html import ReportFigure, write_report

    sx, sy = found.ct.pixel_spacing_mm
    areas = [
        ((found.labels == k + 1).sum(axis=(0, 1)) * sx * sy).tolist()
        for k in range(max(1, len(record.kinds)))
    ]
    write_report(
        folder / "report.html",
        record,
        preview,
        figures=[ReportFigure(png, caption) for png, caption in figures],
        slice_areas_mm2=areas,
        viewer=VIEWER if (folder / VIEWER).is_file() else "",
    )
