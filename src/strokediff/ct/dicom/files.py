"""Which files to look at: regular ones below a folder, or those that a DICOMDIR names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from strokediff.ct.dicom.streams import read_dataset
from strokediff.ct.dicom.values import items_of, texts_of, value_of
from strokediff.util.quiet import quiet

DICOM_SUFFIXES = (".dcm", ".ima", ".dicom", ".img")
MAX_REFERENCES = 100_000


def walk_files(folder: Path) -> Iterator[Path]:
    """All files below `folder` in a fixed order; hidden ones and link loops are left out.

    Pipes, sockets and devices are left out too, since opening one can block for ever. A folder
    that cannot be listed is yielded itself, so that whoever reads it learns why.
    """
    seen: set[str] = set()
    refused: list[Path] = []

    def refuse(error: OSError) -> None:
        refused.append(Path(error.filename))

    for parent, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        kept = (Path(parent) / n for n in sorted(names) if not n.startswith("."))
        yield from (path for path in kept if not _is_special(path))
    yield from refused


def looks_like_dicom(path: Path) -> bool | None:
    """True for DICOM, False for an empty file with a DICOM's name, None for other files."""
    if _is_special(path):
        return None
    with path.open("rb") as stream:
        start = stream.read(132)
    if not start:
        return False if path.suffix.lower() in DICOM_SUFFIXES else None
    if start[128:] == b"DICM":
        return True
    # Files without the preamble start with group 0008 (or 0002) and a small element number.
    if start[:2] in (b"\x08\x00", b"\x02\x00") and start[3:4] == b"\x00" and len(start) == 132:
        return True
    return None


def is_dicomdir(path: Path) -> bool:
    """Whether a file is the directory of a DICOM medium, whatever its name."""
    try:
        if not path.is_file() or not looks_like_dicom(path):
            return False
        with quiet("pydicom"):
            meta = read_dataset(path, tags=("FileSetID",)).file_meta
            kind = value_of(meta, "MediaStorageSOPClassUID")
    except Exception:  # pydicom raises many kinds on damaged files
        return False
    return bool(kind == MediaStorageDirectoryStorage)


def files_of_dicomdir(path: Path) -> list[Path]:
    """The files that a DICOMDIR refers to, in its order; never one outside its folder.

    Names that are not there are returned too (reading them says so). Letter case may differ, as
    it does after copying from a medium.
    """
    try:
        with quiet("pydicom"):
            dataset = read_dataset(path, tags=("DirectoryRecordSequence",))
            records = items_of(dataset, "DirectoryRecordSequence")[:MAX_REFERENCES]
            named = [texts_of(value_of(record, "ReferencedFileID")) for record in records]
    except Exception:  # as in `is_dicomdir`: a damaged one names nothing
        return []
    found: dict[Path, None] = {}
    for parts in named:
        if parts and all(_is_plain(part) for part in parts):
            file = _below(path.parent, parts)
            if file is not None:
                found[file] = None
    return list(found)


def _is_plain(part: str) -> bool:
    """One name of a file or folder: no separator, no way upwards, no drive."""
    return part not in ("", ".", "..") and not any(c in part for c in "/\\:\0")


def _below(folder: Path, parts: tuple[str, ...]) -> Path | None:
    place = folder
    for part in parts:
        exact = place / part
        place = exact if exact.exists() else _other_case(exact)
    # A link could still lead out of the medium's folder.
    inside = os.path.realpath(folder)
    return place if os.path.commonpath([inside, os.path.realpath(place)]) == inside else None


def _other_case(path: Path) -> Path:
    if not path.parent.is_dir():
        return path
    wanted = path.name.casefold()
    names = (p for p in path.parent.iterdir() if p.name.casefold() == wanted)
    return next(names, path)


def _is_special(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()
