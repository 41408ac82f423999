"""The objects by name, and into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset

from strokediff.pacs.capture import capture
from strokediff.pacs.finding import Finding
from strokediff.pacs.report import report
from strokediff.pacs.segment import segmentation
from strokediff.util.quiet import quiet


def write_objects(
    folder: Path, found: Finding, names: Sequence[str], picture: Path | None = None
) -> list[Path]:
    """Write the objects of those names into `folder`, as lesion_NAME.dcm; returns what was written.

    There is no SEG where nothing was found, and no SC without a `picture`. Everything is made
    before anything is written. The report refers to the segmentation, whether written or not.
    """
    # A name such as REMOVED, which de-identified scans have, is no family name: so it is.
    with quiet("pydicom"):
        made = _made(found, names, picture)
    written = []
    for name, dataset in made.items():
        path = folder / f"lesion_{name}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def _made(found: Finding, names: Sequence[str], picture: Path | None) -> dict[str, Dataset]:
    seg = segmentation(found)
    made: dict[str, Dataset] = {}
    if "seg" in names and seg is not None:
        made["seg"] = seg
    if "sr" in names:
        made["sr"] = report(found, seg)
    if "sc" in names and picture is not None:
        made["sc"] = capture(found, picture)
    return made
