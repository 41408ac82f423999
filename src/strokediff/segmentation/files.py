"""The files of a result: images on the scan's own grid, pictures, and result.json last.

The pictures may fail, one by one; the mask never does for their sake.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from strokediff.errors import UsageError
from strokediff.result.figures import Result
from strokediff.segmentation.folder import ResultFolder
from strokediff.segmentation.objects import DicomObjects
from strokediff.segmentation.outputs import PICTURES, VIEWER, Found, Maps, wanted_outputs
from strokediff.segmentation.pages import drop_pictures, write_pages
from strokediff.util.files import sole

R = TypeVar("R", bound=Result)


class OccupiedError(UsageError):
    """Files of somebody else, or a result changed by hand, lie where this one would go."""


@dataclass(frozen=True)
class Wanted:
    """Which files of a result are wanted beside the mask.

    `pictures` are preview.png and report.html; `viewer` is viewer.html, None for as `pictures`;
    `maps` are those of probability and uncertainty, `objects` those for the PACS.
    """

    pictures: bool = True
    viewer: bool | None = None
    maps: Maps = Maps.PROBABILITY
    objects: DicomObjects | None = None

    @property
    def page(self) -> bool:
        """Whether viewer.html is wanted."""
        return self.pictures if self.viewer is None else self.viewer

    def names(self, kind: str) -> list[str]:
        """Of all files that are written of an input of that kind."""
        return [
            *(output.name for output in wanted_outputs(kind, self.maps)),
            *(PICTURES if self.pictures else ()),
            *((VIEWER,) if self.page else ()),
            *(self.objects.files if self.objects else ()),
        ]


def save(found: Found, record: R, folder: Path, wanted: Wanted) -> R:
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


def write(found: Found, record: R, folder: ResultFolder, wanted: Wanted) -> R:
    """Put the result in place, whole or not at all; what stood there before makes way."""
    start = time.perf_counter()
    with folder.being_written() as work:
        for output in wanted_outputs(found.ct.source.kind, wanted.maps):
            output.write(work / output.name, found)
        record = record.told(
            *write_pages(work, found, record, pictures=wanted.pictures, viewer=wanted.page)
        )
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
