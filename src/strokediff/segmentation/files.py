"""The files of a result: images on the scan's own grid, pictures, and result.json last.

The pictures may fail, one by one; the mask never does for their sake.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from strokediff.errors import UsageError
from strokediff.result.record import Record
from strokediff.segmentation.folder import ResultFolder
from strokediff.segmentation.objects import DicomObjects
from strokediff.segmentation.outputs import PAGES, PICTURES, VIEWER, Found, wanted_outputs
from strokediff.segmentation.unfinished import reason
from strokediff.util.files import sole
from strokediff.util.leftovers import remove

T = TypeVar("T")


class OccupiedError(UsageError):
    """Files of somebody else, or a result changed by hand, lie where this one would go."""


@dataclass(frozen=True)
class Wanted:
    """Which files of a result are wanted beside mask and probability.

    `pictures` are preview.png and report.html; `viewer` is viewer.html, None for as `pictures`;
    `uncertainty` are the maps of entropy and variance, `objects` those for the PACS.
    """

    pictures: bool = True
    viewer: bool | None = None
    uncertainty: bool = False
    objects: DicomObjects | None = None

    @property
    def page(self) -> bool:
        """Whether viewer.html is wanted."""
        return self.pictures if self.viewer is None else self.viewer

    def names(self, kind: str) -> list[str]:
        """Of all files that are written of an input of that kind."""
        return [
            *(output.name for output in wanted_outputs(kind, uncertainty=self.uncertainty)),
            *(PICTURES if self.pictures else ()),
            *((VIEWER,) if self.page else ()),
            *(self.objects.files if self.objects else ()),
        ]


def save(found: Found, record: Record, folder: Path, wanted: Wanted) -> Record:
    """See `Segmentation.save`."""
    place = ResultFolder(folder)
    with sole(folder, "save"):
        place.tidy()
        refuse_changed(place)
        refuse_foreign(place, found.ct.source.kind, wanted)
        record = record if record.case else record.named(folder.resolve().name)
        return write(found, record, place, wanted)


def refuse_changed(folder: ResultFolder) -> None:
    """Raise `OccupiedError` if somebody changed an image of the result there."""
    changed = folder.changed()
    if changed:
        raise OccupiedError(
            f"{folder.path}: {', '.join(changed)} was changed after it was written, so it is not "
            "replaced. Move it elsewhere or choose another folder; --redo replaces it."
        )


def refuse_foreign(folder: ResultFolder, kind: str, wanted: Wanted) -> None:
    """Raise `OccupiedError` if a file of somebody else has a name that is to be written."""
    foreign = folder.foreign(wanted.names(kind))
    if foreign:
        raise OccupiedError(
            f"{folder.path}: holds {', '.join(foreign)}, which no result.json of strokediff "
            "accounts for, so it is not replaced. Move it elsewhere, or choose another folder."
        )


def write(found: Found, record: Record, folder: ResultFolder, wanted: Wanted) -> Record:
    """Put the result in place, whole or not at all; what stood there before makes way."""
    start = time.perf_counter()
    with folder.being_written() as work:
        for output in wanted_outputs(found.ct.source.kind, uncertainty=wanted.uncertainty):
            output.write(work / output.name, found)
        record = record.told(*write_pages(work, found, record, wanted))
        if wanted.objects:
            record = record.told(
                *wanted.objects.write(
                    work, found.ct.to_source(found.labels), record, work / "preview.png"
                )
            )
        seconds = {**record.seconds, "write": round(time.perf_counter() - start, 3)}
        record = record.model_copy(update={"seconds": seconds})
        try:
            return folder.publish(work, record)
        except UsageError as error:  # the pictures took the disk's last room
            return folder.publish(work, record.told(*drop_pictures(work, error)))


def write_pages(folder: Path, found: Found, record: Record, wanted: Wanted) -> list[str]:
    """viewer.html, preview.png and report.html; returns warnings about what could not be made."""
    unmade: list[str] = []
    if wanted.page:
        _optional(VIEWER, folder, unmade, partial(_viewer, folder, found, record))
    if not wanted.pictures:
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


def _viewer(folder: Path, found: Found, record: Record) -> None:
    from strokediff.viewer.page import write_viewer

    write_viewer(folder / VIEWER, record, found.ct, found.labels, found.probability, found.brain)


def _preview(folder: Path, found: Found, record: Record) -> bytes:
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
        note=f"model {record.model.name}, trained on {record.model.trained_on}",
    )


def _distrust(record: Record) -> list[str]:
    """That the result is not to be trusted, and for what; the report and the record say why."""
    if record.trust is None or record.trust.ok:
        return []
    against = ", ".join(dict.fromkeys(reason.check for reason in record.trust.reasons))
    return [f"do not rely on this result: {against} (result.json and report.html say why)"]


def _figures(found: Found, record: Record) -> list[tuple[bytes, str]]:
    """The key slice with its caption; of several kinds that of each that was found."""
    from strokediff.report.figures import render_key_slice

    kinds = [own.name for own in record.kinds]
    there = [k for k, own in enumerate(record.kinds) if own.volume_ml] or [0]
    shown: list[tuple[str, NDArray[np.float32], int | None]] = [
        (kinds[k], found.probabilities[k], k + 1) for k in there if len(kinds) > 1
    ] or [("lesion", found.probability, None)]
    return [
        (
            render_key_slice(
                found.ct.hu,
                found.labels,
                found.brain,
                {f"Probability of {name}": probability, "Entropy, bits": found.entropy},
                pixel_spacing_mm=found.ct.pixel_spacing_mm,
                kinds=kinds,
                of=label,
            ),
            f"The slice with the largest area of {name}: plain, outlined, its probability, and its "
            "entropy: where the model is unsure.",
        )
        for name, probability, label in shown
    ]


def _page(
    folder: Path,
    found: Found,
    record: Record,
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
