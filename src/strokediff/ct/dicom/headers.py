"""Read the headers of DICOM files into plain records, one a slice, without their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.uid import MediaStorageDirectoryStorage

from strokediff.ct.dicom.files import looks_like_dicom, walk_files
from strokediff.ct.dicom.frames import TAGS, SliceHeader, headers_of
from strokediff.ct.dicom.streams import read_dataset
from strokediff.ct.dicom.values import text, value_of
from strokediff.util.quiet import quiet

__all__ = ["ScannedFiles", "SliceHeader", "damage", "read_header", "scan", "walk_files"]
_NAMED = 3
"""So many damaged files are named in a message."""


@dataclass
class ScannedFiles:
    """All that was found in some files.

    `damaged` maps each file that is damaged DICOM to its reason, `directories` are DICOMDIRs;
    `n_files` counts files of any kind.
    """

    slices: list[SliceHeader] = field(default_factory=list)
    damaged: dict[Path, str] = field(default_factory=dict)
    directories: list[Path] = field(default_factory=list)
    n_files: int = 0


def scan(files: Iterable[Path]) -> ScannedFiles:
    """Read every DICOM header in `files`; files of other kinds are counted and left out.

    Nothing that a file holds ends the scan: a file that fails is `damaged`, whatever the failure.
    """
    found = ScannedFiles()
    for path in files:
        found.n_files += 1
        try:
            with quiet("pydicom"):
                _scan_one(path, found)
        except Exception as error:  # pydicom raises many kinds on damaged files
            found.damaged[path] = _reason(error)
    return found


def read_header(path: Path) -> pydicom.Dataset | Exception | None:
    """The header of a DICOM image; None for another kind of file, the error for a damaged one."""
    try:
        with quiet("pydicom"):
            return _header(path)
    except Exception as error:  # as in `scan`
        return error


def damage(found: ScannedFiles) -> str:
    """The damaged files in words, with their reasons: '2 ... (a.dcm: the file is empty; ...)'."""
    named = [f"{p.name}: {why}" for p, why in list(found.damaged.items())[:_NAMED]]
    more = "; ..." if len(found.damaged) > _NAMED else ""
    return f"{len(found.damaged)} empty or damaged DICOM files ({'; '.join(named)}{more})"


def _scan_one(path: Path, found: ScannedFiles) -> None:
    dataset = _header(path)
    if dataset is None:
        return
    if _is_directory(dataset):
        found.directories.append(path)
    else:
        found.slices.extend(headers_of(path, dataset))


def _header(path: Path) -> pydicom.Dataset | None:
    looks = looks_like_dicom(path)
    if looks is None:
        return None
    if not looks:
        raise EOFError("the file is empty")
    dataset = read_dataset(path, tags=TAGS)
    if _is_directory(dataset):
        return dataset
    if not value_of(dataset, "SeriesInstanceUID") or not value_of(dataset, "SOPClassUID"):
        raise ValueError("no SeriesInstanceUID or SOPClassUID")
    return dataset


def _is_directory(dataset: pydicom.Dataset) -> bool:
    kind = value_of(dataset.file_meta, "MediaStorageSOPClassUID")
    return bool(kind == MediaStorageDirectoryStorage)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RecursionError):
        return "its sequences are nested too deeply"
    return text(error)[:120] or type(error).__name__
