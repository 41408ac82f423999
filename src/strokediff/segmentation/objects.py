"""DICOM objects of a result: made from what was found, or later from a result's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.discovery.discover import discover
from strokediff.ct.discovery.loading import load_case, load_source
from strokediff.ct.nifti.masks import read_labels
from strokediff.ct.nifti.on_grid import labels_on
from strokediff.ct.volume import CT
from strokediff.errors import InputError, UsageError
from strokediff.result.figures import Result
from strokediff.segmentation.folder import ResultFolder
from strokediff.segmentation.outputs import DICOM, MASK
from strokediff.util.extras import require
from strokediff.util.files import atomic_directory

if TYPE_CHECKING:
    from strokediff.ct.dicom.source import SourceSeries


@dataclass(frozen=True)
class DicomObjects:
    """Which objects of a result are wanted, and the series that they refer to."""

    names: Sequence[str]
    source: SourceSeries

    @property
    def files(self) -> list[str]:
        """What they are called."""
        return [DICOM[name] for name in self.names]

    def write(
        self, folder: Path, labels: NDArray[np.uint8], record: Result, picture: Path
    ) -> list[str]:
        """Write them of labels on the series' array; `picture` is the montage, if it is there.

        Returns a sentence for each that there is none of.
        """
        from strokediff.pacs.finding import Finding
        from strokediff.pacs.objects import write_objects

        montage = picture if picture.is_file() else None
        made = write_objects(folder, Finding(self.source, labels, record), self.names, montage)
        return _absent(self.names, [path.name for path in made])


def wanted_objects(text: Sequence[str]) -> tuple[str, ...]:
    """The objects of those names, in order; `UsageError` for one that there is none of."""
    unknown = [name for name in text if name not in DICOM]
    if unknown:
        raise UsageError(
            f"no DICOM object '{', '.join(unknown)}'; expected some of: {', '.join(DICOM)}."
        )
    if text:
        require("highdicom", "dicom")
    return tuple(name for name in DICOM if name in text)


def objects_of(ct: CT, names: Sequence[str]) -> DicomObjects | None:
    """The objects of a CT that was read from DICOM; None where none are wanted.

    Raises `UsageError` for another CT: objects refer to patient, study and instances.
    """
    wanted = wanted_objects(names)
    if not wanted:
        return None
    if ct.source.kind != "dicom":
        raise UsageError(
            f"{ct.source.path.name}: DICOM objects are wanted of a {ct.source.kind} image, which "
            "has no patient, study or instances to refer to. Give the DICOM series."
        )
    return DicomObjects(wanted, source_of(ct))


def source_of(ct: CT) -> SourceSeries:
    """The instances that a CT was read from; `InputError` where it was not from DICOM."""
    uid = ct.source.details.get("series_uid")
    cases = discover(ct.source.path, None if uid is None else str(uid)).cases
    return load_source(cases[0])


def export_objects(
    result: str | Path, source: str | Path, out: str | Path, names: Sequence[str] = tuple(DICOM)
) -> list[str]:
    """Write the objects of a result folder into the new folder `out`.

    Returns a sentence for each that there is none of: no segmentation without a lesion, no capture
    without a montage. `source` is the DICOM that was segmented. Raises `InputError` where it is
    another series, has changed its place since, or the mask is on another grid.

    >>> export_objects("result", "scan.nii.gz", "objects")
    Traceback (most recent call last):
    strokediff.errors.InputError: scan.nii.gz: NIfTI has no patient, study or instances for ...
    """
    wanted = wanted_objects(names)
    folder = ResultFolder(Path(result))
    record = folder.read()
    if record is None:
        raise InputError(
            f"{result}: no result of 'strokediff segment' or 'measure' (result.json). Give one."
        )
    uid = (record.input.model_extra or {}).get("series_uid")
    found = discover(source, None if uid is None else str(uid))
    if len(found.cases) != 1:
        raise InputError(f"{source}: {len(found.cases)} patients; expected the one of {result}.")
    series = load_source(found.cases[0])
    labels = _labels(load_case(found.cases[0]), Path(result), Path(source))
    place = Path(out)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{out}: is there already. Choose a new folder for the objects.")
    objects, picture = DicomObjects(wanted, series), Path(result) / "preview.png"
    with atomic_directory(place) as work:
        return objects.write(work, labels, record, picture)


def _labels(ct: CT, result: Path, source: Path) -> NDArray[np.uint8]:
    """The mask's file on the series' own slices; `InputError` if it is of another grid."""
    try:
        return np.asarray(ct.to_source(labels_on(ct, read_labels(result / MASK))))
    except InputError as error:
        raise InputError(
            f"{source}: is not what {result} was made from. Give the series that was segmented, as "
            f"it was then. ({error})"
        ) from error


def _absent(wanted: Sequence[str], made: Sequence[str]) -> list[str]:
    """Why an object that was asked for is not there."""
    why = {
        "seg": "no lesion was found, so there is no segmentation object (lesion_seg.dcm)",
        "sc": "there is no montage, so there is no secondary capture (lesion_sc.dcm)",
    }
    return [why[name] for name in wanted if DICOM[name] not in made and name in why]
