"""Find the head CTs in what the user gives: a file, one patient's folder, or many patients."""

from __future__ import annotations

import os
from pathlib import Path

from strokediff.ct.dicom.files import files_of_dicomdir, is_dicomdir
from strokediff.ct.discovery.cases import Discovery, LeftOut, numbered
from strokediff.ct.discovery.finding import Found, find_below, find_in_archive
from strokediff.ct.discovery.formats import FileKind, format_of
from strokediff.ct.discovery.loading import load_case
from strokediff.ct.discovery.tree import Tree, survey_files, survey_folder
from strokediff.errors import InputError
from strokediff.util.names import ARCHIVES, is_nifti_name

__all__ = ["discover", "load_case"]
_EXPECTED = "Expected a NIfTI file, the DICOM files of a head CT, or a folder or zip of them."


def discover(
    path: str | Path, series_uid: str | None = None, out: str | Path | None = None
) -> Discovery:
    """The cases in `path`, in the order of their paths, and all that yields none.

    A NIfTI file is one case. In a folder, a zip or a tar every NIfTI file is a case, and DICOM
    files are grouped by patient and study (`studies_of`), wherever they lie. Every folder directly
    below the input has a case or a failed patient; within such a folder, studies without an axial
    non-contrast head CT are left out beside one of the same patient that has it. Results of
    `segment` are never input; `out` is where the next ones go. `series_uid` keeps only the case
    with that series, and accounts for nothing else. Raises `InputError` where there is nothing to
    segment, unless two or more patients failed: then there is no case and they are all named.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b.nii.gz", "a.nii.gz", "notes.txt"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     found = discover(folder)
    >>> [case.name for case in found.cases], found.notes
    (['a', 'b'], ['1 other files (no images) were left out'])
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder. {_EXPECTED}")
    if path.is_file() and is_nifti_name(path) and series_uid is not None:
        raise InputError(f"{path}: --series names a DICOM series, but the input is NIfTI.")
    if path.is_file() and path.name.lower().endswith(ARCHIVES):
        found = find_in_archive(path, path, series_uid)
        n_files = 1
    else:
        tree = _survey(path, None if out is None else Path(out))
        found, n_files = find_below(tree, series_uid), tree.n_files
    failed = [left for left in found.left_out if left.is_patient]
    if not found.cases and len(failed) < 2:
        raise _nothing(path, n_files, found, failed, series_uid)
    taken: set[str] = set()
    cases = sorted(found.cases, key=lambda c: (str(c.path), c.files[:1]))
    return Discovery(
        numbered(cases, taken),
        numbered(sorted(found.left_out, key=lambda left: str(left.path)), taken),
        found.ignored,
    )


def _survey(path: Path, out: Path | None) -> Tree:
    if not path.is_file():
        return survey_folder(path, out)
    if is_nifti_name(path):
        return Tree(path, niftis=[path])
    if is_dicomdir(path):
        return survey_files(path.parent, files_of_dicomdir(path))
    return survey_files(path, [path])


def _nothing(
    path: Path, n_files: int, found: Found, failed: list[LeftOut], series_uid: str | None
) -> InputError:
    if found.n_slices and series_uid is not None:
        return InputError(
            f"{path}: the series named with --series is not there. Leave --series out to see which "
            f"series are found."
        )
    if failed:
        return InputError(f"{failed[0].path}: {failed[0].reason}")
    if path.is_file() and path.name.lower().endswith(ARCHIVES):
        return InputError(f"{path}: holds neither NIfTI nor DICOM. Give the patient's images.")
    if path.is_file():
        kind = format_of(path)
        if kind.kind in (FileKind.VOLUME, FileKind.PACKED, FileKind.PICTURE, FileKind.DAMAGED):
            return InputError(f"{path}: is {kind.text}, which is not read. {_EXPECTED}")
        return InputError(f"{path}: none of 1 files is NIfTI or DICOM. {_EXPECTED}")
    if n_files:
        return InputError(f"{path}: none of {n_files} files is NIfTI or DICOM. {_EXPECTED}")
    empty = not any(not entry.name.startswith(".") for entry in os.scandir(path))
    what = "the folder is empty" if empty else "holds only results of strokediff segment"
    return InputError(f"{path}: {what}. {_EXPECTED}")
