"""Find the head CTs in what the user gives: a file, one patient's folder, or many patients."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from strokediff.data.cases import Case, Discovery
from strokediff.data.dicom import read_dicom_series
from strokediff.data.dicom_headers import Scan, SliceHeader, scan, walk_files
from strokediff.data.dicom_series import objection
from strokediff.data.dicom_stacks import split_series
from strokediff.data.nifti import SUFFIXES, is_nifti_name, read_nifti
from strokediff.data.volume import Volume
from strokediff.errors import InputError

OWN_OUTPUT = ("lesion_mask", "lesion_prob")
"""Files that `segment` writes: never taken for input when an output folder is given again."""
MAX_NAME = 80
_RESERVED = {"con", "prn", "aux", "nul"}


def discover(
    path: str | Path, series_uid: str | None = None, out: str | Path | None = None
) -> Discovery:
    """The cases in `path`, in the order of their paths, and what yields none.

    A NIfTI file is one case. In a folder every NIfTI file is a case, and DICOM files are grouped
    by patient and study, wherever they lie; of a patient's studies those without an axial
    non-contrast head CT are left out when another one has it. `series_uid` keeps only the case
    with that series. Raises `InputError` where there is nothing to segment.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder. Expected a NIfTI file, a DICOM folder or a folder of "
            f"several patients."
        )
    if path.is_file() and is_nifti_name(path):
        if series_uid is not None:
            raise InputError(f"{path}: --series names a DICOM series, but the input is NIfTI.")
        return Discovery([Case(safe_name(_stem(path)), "nifti", path)], [])
    files = [path] if path.is_file() else list(walk_files(path))
    niftis = [f for f in files if is_nifti_name(f)]
    found = scan(f for f in files if not is_nifti_name(f))
    cases = _dicom_cases(path, found, series_uid)
    if series_uid is None:
        cases += [
            Case(_relative_name(path, f), "nifti", f) for f in niftis if _stem(f) not in OWN_OUTPUT
        ]
    if not cases:
        raise _nothing(path, len(files), found)
    return Discovery(_unique(sorted(cases, key=lambda c: (str(c.path), c.files[:1]))), [])


def load_case(case: Case, series_uid: str | None = None) -> Volume:
    """Read a case; see `read_nifti` and `read_dicom_series` for what is refused."""
    if case.kind == "nifti":
        return read_nifti(case.path)
    return read_dicom_series(case.files or case.path, series_uid)


def safe_name(text: str) -> str:
    """A name of letters, digits, dot, dash and underscore that cannot leave its folder.

    >>> safe_name("../Müller, Hans"), safe_name("..")
    ('M_ller_Hans', 'case')
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text)
    name = re.sub(r"\.{2,}", ".", name).strip("._-")[:MAX_NAME].rstrip("._-")
    return "case" if not name or name.lower() in _RESERVED else name


def _dicom_cases(root: Path, found: Scan, series_uid: str | None) -> list[Case]:
    studies: dict[tuple[str, str], list[SliceHeader]] = defaultdict(list)
    for header in found.slices:
        studies[(header.patient_id, header.study_uid)].append(header)
    groups = [_files_of(headers) for headers in _worth_reading(studies, series_uid)]
    if len(groups) == 1:
        groups = [sorted({*groups[0], *found.damaged})]
    folders = [_own_folder(root, files, groups) for files in groups]
    if len(groups) == 1:
        folders = [root]
    cases = []
    for folder, files in zip(folders, groups, strict=True):
        damaged = [] if len(groups) == 1 else [f for f in found.damaged if folder in f.parents]
        name = _relative_name(root, folder)
        cases.append(Case(name, "dicom", folder, tuple(sorted({*files, *damaged}))))
    return cases


def _worth_reading(
    studies: dict[tuple[str, str], list[SliceHeader]], series_uid: str | None
) -> list[list[SliceHeader]]:
    """Of each patient the studies with a usable series, or all of them if none has one."""
    if series_uid is not None:
        return [s for s in studies.values() if any(h.series_uid == series_uid for h in s)]
    patients: dict[str, list[list[SliceHeader]]] = defaultdict(list)
    for (patient, study), headers in studies.items():
        patients[patient or study].append(headers)
    kept = []
    for each in patients.values():
        usable = [s for s in each if any(objection(k) is None for k in split_series(s))]
        # Several studies of a patient without one that can be used are one failure, not many.
        kept += usable or [[h for s in each for h in s]]
    return kept


def _files_of(headers: Iterable[SliceHeader]) -> list[Path]:
    return sorted({h.path for h in headers})


def _own_folder(root: Path, files: list[Path], groups: list[list[Path]]) -> Path:
    """The highest folder below `root` that holds this case's files and no other case's."""
    common = Path(os.path.commonpath([f.parent for f in files]))
    others = [f for group in groups if group is not files for f in group]
    best = common
    while best != root and root in best.parents:
        above = best.parent
        if above == root or any(above in f.parents for f in others):
            break
        best = above
    return best


def _relative_name(root: Path, path: Path) -> str:
    """A name from the path below `root`: PATIENT/ct.nii.gz becomes PATIENT_ct."""
    if path == root:
        return safe_name(_stem(root.resolve()))
    parts = path.relative_to(root).parts if root in path.parents else (path.name,)
    return safe_name(
        "_".join([*parts[:-1], _stem(Path(parts[-1])) if path.is_file() else parts[-1]])
    )


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (*reversed(SUFFIXES), ".dcm"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _unique(cases: list[Case]) -> list[Case]:
    """Append _2, _3 ... to repeated names; letter case does not tell names apart."""
    taken: set[str] = set()
    out = []
    for case in cases:
        name, number = case.name, 1
        while name.lower() in taken:
            number += 1
            name = f"{case.name}_{number}"
        taken.add(name.lower())
        out.append(Case(name, case.kind, case.path, case.files))
    return out


def _nothing(path: Path, n_files: int, found: Scan) -> InputError:
    if found.slices:
        return InputError(
            f"{path}: the series named with --series is not there. Leave --series out to see which "
            f"series are found."
        )
    if found.damaged:
        return InputError(
            f"{path}: {len(found.damaged)} DICOM files are empty or damaged and none can be read. "
            f"Copy the series again."
        )
    what = "the folder is empty" if n_files == 0 else f"none of {n_files} files is NIfTI or DICOM"
    return InputError(f"{path}: {what}. Expected a NIfTI file or the DICOM files of a head CT.")
